"""Certificates: the daemon's own CA, what it signs, and what an administrator gives instead."""
