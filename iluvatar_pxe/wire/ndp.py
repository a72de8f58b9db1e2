"""Router discovery (RFC 4861): a solicitation's bytes to a frozen message, an empty advertisement to bytes.

Both without the IPv6 header, as a raw ICMPv6 socket has them.
"""

import struct
from collections.abc import Iterator

from msgspec import Struct

from iluvatar_pxe.errors import WireError

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134

HOP_LIMIT = 255
"""Of every packet of the protocol; one that came through a router has less (RFC 4861 section 6.1)."""

_SOLICITATION = struct.Struct("!BBHI")
_ADVERTISEMENT = struct.Struct("!BBHBBHII")
_SOURCE_LINK_ADDRESS = 1
_UNIT = 8
"""Octets; options are multiples of it."""


class RouterSolicitation(Struct, frozen=True):
    """Section 4.1. ``link_address`` is the sender's MAC on Ethernet, empty when it does not tell."""

    link_address: bytes = b""


def decode_solicitation(data: bytes) -> RouterSolicitation:
    """Read an ICMPv6 message; raises WireError when it is no valid Router Solicitation (section 6.1.1)."""
    if len(data) < _SOLICITATION.size:
        raise WireError(f"{len(data)} bytes, shorter than a Router Solicitation")
    kind, code, _checksum, _reserved = _SOLICITATION.unpack_from(data)
    if (kind, code) != (ROUTER_SOLICITATION, 0):
        raise WireError(f"ICMPv6 type {kind} code {code}, no Router Solicitation")
    options = list(_options(data[_SOLICITATION.size :]))
    return RouterSolicitation(next((value for code, value in options if code == _SOURCE_LINK_ADDRESS), b""))


def encode_empty_advertisement(link_address: bytes) -> bytes:
    """Write a Router Advertisement (section 4.2) of a host that routes nothing; raises ValueError for no MAC.

    Router lifetime 0: no default router. No prefix, no DHCPv6 (M and O clear), and "unspecified" for the
    rest. The only option is the sender's own MAC, ``link_address``. The kernel computes the checksum.
    """
    if len(link_address) != 6:
        raise ValueError("an Ethernet address has six octets")
    option = bytes((_SOURCE_LINK_ADDRESS, 1)) + link_address
    return _ADVERTISEMENT.pack(ROUTER_ADVERTISEMENT, *[0] * 7) + option


def _options(field: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(field):
        length = field[position + 1] * _UNIT if position + 1 < len(field) else 0
        if length == 0 or position + length > len(field):
            raise WireError("an option of no length, or longer than its message")
        yield field[position], field[position + 2 : position + length]
        position += length
