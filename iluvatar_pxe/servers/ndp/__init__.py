"""IPv6 router discovery."""
