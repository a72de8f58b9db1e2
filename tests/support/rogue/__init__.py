"""Somebody on the network who wants a configuration or a key that is not theirs."""
