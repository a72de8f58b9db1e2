"""The content of commits. Pure."""
