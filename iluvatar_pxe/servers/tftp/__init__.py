"""TFTP."""
