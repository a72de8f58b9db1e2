"""What is committed. Pure."""
