"""What went over the wire, and how boots ended."""
