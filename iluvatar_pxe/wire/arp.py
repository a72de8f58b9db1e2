"""ARP for IPv4 on Ethernet (RFC 826): a message's bytes to a frozen message, and a probe (RFC 5227) to bytes.

Both without the Ethernet header, as a packet socket of type SOCK_DGRAM has them.
"""

import struct
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.mac import format_mac

ETHERTYPE = 0x0806
BROADCAST = b"\xff" * 6
_MESSAGE = struct.Struct("!HHBBH6s4s6s4s")
_FORM = (1, 0x0800, 6, 4)
"""Ethernet and IPv4, and the lengths of their addresses."""
_REQUEST = 1
_NOBODY = bytes(4)


class ArpMessage(Struct, frozen=True):
    """Who sends a request or a reply. ``sender`` is 0.0.0.0 in a probe, whose sender has no address yet."""

    mac: str
    sender: IPv4Address


def encode_probe(mac: bytes, address: IPv4Address) -> bytes:
    """Ask who has an address, without claiming any (RFC 5227, 2.1.1); raises ValueError for no MAC."""
    if len(mac) != len(BROADCAST):
        raise ValueError("an Ethernet address has six octets")
    return _MESSAGE.pack(*_FORM, _REQUEST, mac, _NOBODY, bytes(6), address.packed)


def decode_arp(data: bytes) -> ArpMessage:
    """Read a message, which may be padded to the shortest Ethernet frame; raises WireError."""
    if len(data) < _MESSAGE.size:
        raise WireError(f"{len(data)} bytes, shorter than an ARP message")
    *form, _operation, mac, sender, _target_mac, _target = _MESSAGE.unpack_from(data)
    if tuple(form) != _FORM:
        raise WireError("an ARP message of other addresses than Ethernet's and IPv4's")
    return ArpMessage(format_mac(mac), IPv4Address(sender))
