"""DNS without a socket: zones, names in them, what is remembered, and whom to ask."""
