"""Boots before they happen: a machine's next one, and what a commit changes about it."""
