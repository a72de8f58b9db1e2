"""Whether the disk has room for a file. Pure."""

RESERVE = 64 << 20
"""Bytes that a download leaves to the database and the fleet's repository."""


def missing(needed: int, free: int) -> int:
    """Return how many bytes must be freed before ``needed`` more can come; 0 if there is room."""
    return max(0, needed + RESERVE - free)
