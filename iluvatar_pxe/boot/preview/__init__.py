"""What a boot would be before it happens: the next one of a machine, and what a commit changes about it."""
