"""What the layers of a fleet run: everything that knows their own formats and programs."""
