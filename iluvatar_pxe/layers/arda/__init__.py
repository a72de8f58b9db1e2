"""Arda: machines that run Talos Linux."""
