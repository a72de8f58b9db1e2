"""DNS without a socket: zones, lookups, the cache, and the choice of upstream."""
