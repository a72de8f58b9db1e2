"""Machines that run k3s."""
