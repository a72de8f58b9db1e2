"""What boot files there are, where they come from and how each is checked. Pure."""
