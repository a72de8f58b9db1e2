"""What the operating system gives: interfaces, neighbours, UDP sockets, files with an owner, the lock, systemd's protocol."""
