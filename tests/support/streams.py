"""What a client reads of a stream."""

import socket


def read_to(sock: socket.socket, wanted: bytes) -> bytes:
    """Read until ``wanted`` has come."""
    octets = b""
    while wanted not in octets:
        more = sock.recv(1 << 16)
        assert more, f"the stream ended after {octets!r}"
        octets += more
    return octets
