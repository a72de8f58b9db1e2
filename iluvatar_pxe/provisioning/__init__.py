"""What happens when a machine asks: the decision, its place, what it is handed, and the record."""
