"""The fleet repository: where the declared state comes from."""
