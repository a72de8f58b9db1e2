"""A Raspberry Pi's firmware, played."""
