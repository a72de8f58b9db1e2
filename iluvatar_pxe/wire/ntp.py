"""NTP as far as a server needs it (RFC 5905, 7.3): a client's request to a frozen message, and the reply to bytes.

Besides, as far as it is found out whether another server tells the time.

What follows the header of a request, such as a client's authentication, is not read, and the reply has none.
"""

import struct

from msgspec import Struct

from iluvatar_pxe.errors import WireError

_HEADER = struct.Struct("!BBbbII4sQQQQ")
_CLIENT, _SERVER = 3, 4
_ALARM = 3
"""In place of a leap second: the time is not to be relied on."""
_VERSIONS = range(1, 5)
_STRATA = range(1, 16)
"""Of servers that have the time."""
_TO_1970 = 2_208_988_800
"""Seconds from the beginning of NTP's first era."""
_BILLION = 1_000_000_000
_ERA = 1 << 32
_SHORTEST_FRACTION = 1 << 16
_LOCAL = b"\x7f\x7f\x01\x01"
"""Reference of a clock that is not known by an address, as chrony writes it."""
_STARTING = b"INIT"
"""The code of a server that has no time to tell (RFC 5905, 7.4); its stratum is 0."""
_PRECISION = -18
"""Of what is told, as a power of two in seconds: some microseconds."""


class NtpRequest(Struct, frozen=True):
    """``transmit`` is what the client calls its time: whatever it is, the reply repeats it."""

    version: int
    poll: int
    transmit: int


class Told(Struct, frozen=True):
    """What a server says of a clock that is in step. ``error`` is the most that it may be wrong by, in seconds."""

    stratum: int
    error: float


UNKNOWN = Told(0, 0.0)
"""What it says of one that is not (RFC 5905, 7.3)."""


def decode_request(data: bytes) -> NtpRequest:
    """Read a datagram; raises WireError where it is no client's request."""
    if len(data) < _HEADER.size:
        raise WireError(f"{len(data)} bytes, shorter than NTP's header")
    first, _stratum, poll, *_rest, transmit = _HEADER.unpack_from(data)
    version, mode = first >> 3 & 7, first & 7
    if mode != _CLIENT or version not in _VERSIONS:
        raise WireError(f"NTP version {version} mode {mode}, no client's request")
    return NtpRequest(version, poll, transmit)


def encode_request(transmit: int) -> bytes:
    """Write a request; the reply repeats ``transmit``."""
    return _HEADER.pack(_VERSIONS[-1] << 3 | _CLIENT, *(0,) * 5, bytes(4), *(0,) * 3, transmit)


def tells_time(data: bytes, transmit: int) -> bool:
    """Say whether a datagram is the reply to that request, and of a server whose clock is in step."""
    if len(data) < _HEADER.size:
        return False
    first, stratum, *_rest, origin, _received, _sent = _HEADER.unpack_from(data)
    is_known = first >> 6 != _ALARM and stratum in _STRATA
    return first & 7 == _SERVER and origin == transmit and is_known


def encode_reply(request: NtpRequest, told: Told, received: int, now: int) -> bytes:
    """Write the reply; ``received`` and ``now`` are nanoseconds since 1970, of the server's clock."""
    is_known = told is not UNKNOWN
    return _HEADER.pack(
        (0 if is_known else _ALARM) << 6 | request.version << 3 | _SERVER,
        told.stratum,
        request.poll,
        _PRECISION,
        0,
        min(int(told.error * _SHORTEST_FRACTION), _ERA - 1),
        _LOCAL if is_known else _STARTING,
        timestamp(received) if is_known else 0,
        request.transmit,
        timestamp(received),
        timestamp(now),
    )


def timestamp(nanoseconds: int) -> int:
    """Return nanoseconds since 1970 as seconds of NTP's era, and 32 bits of their fraction."""
    seconds, fraction = divmod(nanoseconds, _BILLION)
    return (seconds + _TO_1970) % _ERA << 32 | (fraction << 32) // _BILLION
