"""What files that people write have in common: immutable models, and texts of a certain shape. Pure."""
