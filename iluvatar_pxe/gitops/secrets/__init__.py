"""Sealed files, tokens and keys."""
