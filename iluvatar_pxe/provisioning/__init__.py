"""What happens when a machine asks: decided, given its place, handed what it may have, recorded."""
