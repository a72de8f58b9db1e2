"""What a next boot would be, and what a commit changes."""
