"""Network time."""
