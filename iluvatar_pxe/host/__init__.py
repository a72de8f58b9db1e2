"""What the operating system provides: interfaces, neighbours, UDP sockets, files with an owner, the lock, systemd's protocol."""
