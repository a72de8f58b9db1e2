"""What people and programs see of the daemon by a browser: pages, the API, events, metrics."""
