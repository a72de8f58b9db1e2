"""Git repositories, local and remote."""
