"""Boot files: logical names to verified files."""
