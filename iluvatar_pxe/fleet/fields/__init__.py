"""What single values of the fleet's files may be."""
