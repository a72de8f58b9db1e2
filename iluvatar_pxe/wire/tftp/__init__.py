"""TFTP packets, options and transfers."""
