"""What people ask for: each command with its doing, and machines and plans as plain data."""
