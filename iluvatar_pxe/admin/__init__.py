"""Commands that people give, each with its implementation, and machines and plans as plain data."""
