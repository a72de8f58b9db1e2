"""The systemd service: put in place, and taken away."""
