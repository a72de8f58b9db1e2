"""Machines that run Talos Linux."""
