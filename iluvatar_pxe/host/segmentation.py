"""UDP segmentation offload (UDP_SEGMENT, Linux 4.18): many datagrams to one peer by one system call."""

import socket
import struct
from collections.abc import Iterator
from functools import cache, lru_cache

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


def calls(octets: bytes | memoryview, size: int) -> Iterator[tuple[memoryview, Ancillary]]:
    """Yield what each call sends of datagrams of ``size``, one behind the other, with its control message."""
    at_once = max(1, min(_MOST_SEGMENTS, _MOST_BYTES // size)) * size
    whole = memoryview(octets)
    for start in range(0, len(octets), at_once):
        some = whole[start : start + at_once]
        yield some, _cut_into(size) if len(some) > size else []


def datagrams(octets: bytes | memoryview, size: int) -> Iterator[bytes]:
    """Yield each of them by itself."""
    return (bytes(octets[start : start + size]) for start in range(0, len(octets), size))


@lru_cache(maxsize=64)
def _cut_into(size: int) -> Ancillary:
    return [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", size))]
