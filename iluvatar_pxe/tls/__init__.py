"""Certificates: the daemon's own CA, what it signs, and certificates supplied by the administrator."""
