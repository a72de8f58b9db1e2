"""Bytes to frozen messages and back: no sockets, no clock, no files."""
