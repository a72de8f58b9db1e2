"""YAML text to documents that know their lines."""
