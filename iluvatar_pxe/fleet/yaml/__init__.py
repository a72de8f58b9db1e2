"""YAML documents with line numbers."""
