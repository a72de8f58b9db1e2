"""Talos' API as the daemon uses it; no protobuf type leaves this package."""
