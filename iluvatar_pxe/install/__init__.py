"""Installs and removes the systemd service."""
