"""What the lab's machines boot."""
