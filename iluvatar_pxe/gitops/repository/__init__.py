"""Git: repositories, here and elsewhere."""
