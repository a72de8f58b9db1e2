"""The private network: namespace, segment, router."""
