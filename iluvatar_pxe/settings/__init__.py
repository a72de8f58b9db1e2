"""This host's settings."""
