"""UDP segmentation offload (UDP_SEGMENT, Linux 4.18): many datagrams to one peer by one system call."""

import socket
import struct
from collections.abc import Iterator, Sequence
from functools import cache

_UDP_SEGMENT = 103
_MOST_SEGMENTS = 64
"""Of one call; kernels since 6.9 take 128."""
_MOST_BYTES = 65507
"""Of one call: the longest payload of an IPv4 datagram."""

Ancillary = list[tuple[int, int, bytes]]


@cache
def is_offered() -> bool:
    """Whether this kernel knows of it. Older ones would send the segments as one long datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 0)
        except OSError:
            return False
    return True


def calls(datagrams: Sequence[bytes]) -> Iterator[tuple[Sequence[bytes], Ancillary]]:
    """Yield what each call sends, with its control message; all datagrams but the last are of the same length."""
    size = len(datagrams[0])
    at_once = max(1, min(_MOST_SEGMENTS, _MOST_BYTES // size))
    for first in range(0, len(datagrams), at_once):
        some = datagrams[first : first + at_once]
        yield some, [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", size))] if len(some) > 1 else []
