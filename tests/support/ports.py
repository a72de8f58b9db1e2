"""Ports that nobody uses."""

import socket

_given: set[int] = set()


def free_port() -> int:
    """Return a port that is free on loopback for TCP and UDP, and was not given to anybody before."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
