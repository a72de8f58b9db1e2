"""All that knows SQL."""
