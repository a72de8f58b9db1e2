"""Sockets, and nothing that decides."""
