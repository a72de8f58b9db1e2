"""Observed state: the database, its recorder and the in-memory snapshot."""
