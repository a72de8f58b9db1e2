"""Ports that nobody uses."""

import os
import socket
from collections.abc import Iterator
from itertools import cycle

_EACH = 2800
_RANGES = 8
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST = 10_000 + _WORKER % _RANGES * _EACH
"""Below the ports that the kernel gives to clients (32768 on), and apart from those of other workers."""
_START = os.getpid() % _EACH  # another run at the same time begins elsewhere
_candidates: Iterator[int] = cycle([*range(_FIRST + _START, _FIRST + _EACH), *range(_FIRST, _FIRST + _START)])


def free_port() -> int:
    """Return a port that is free on loopback for TCP and UDP; another one at each call."""
    for port in _candidates:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("the ports of this worker never end")
