"""proxyDHCP."""
