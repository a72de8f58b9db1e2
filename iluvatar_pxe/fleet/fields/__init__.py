"""Types of single values in fleet files."""
