"""What was observed: the database, its recorder and the in-memory snapshot."""
