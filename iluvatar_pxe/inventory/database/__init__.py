"""Everything that uses SQL."""
