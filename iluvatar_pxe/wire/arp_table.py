"""The kernel's ARP table: a question for one IPv4 address on one interface to bytes, the answer's bytes to a link address.

Structures and numbers are those of linux/if_arp.h, linux/if.h and linux/sockios.h (arp(7), netdevice(7)), in the host's
byte order. Netlink tells the same, and takes twice as long.
"""

import struct
from ipaddress import IPv4Address

from iluvatar_pxe.wire.links import ETHERNET
from iluvatar_pxe.wire.netlink import AF_INET

SIOCGARP, SIOCGIFINDEX = 0x8954, 0x8933

_ARPREQ = struct.Struct("=H2x4s8xH14si16x16s")
_IFREQ = struct.Struct("=16si20x")
_MAC_OCTETS = 6
_ATF_COM = 0x02
"""The neighbour itself, or a person, has told its link address: REACHABLE, STALE, DELAY, PROBE or PERMANENT."""


def encode_question(address: IPv4Address, device: str) -> bytes:
    """Write the argument of SIOCGARP, which fails with ENXIO for an unknown address, and ENODEV for an unknown interface."""
    return _ARPREQ.pack(AF_INET, address.packed, 0, b"", 0, device.encode())


def decode_answer(data: bytes) -> bytes | None:
    """Return the MAC that SIOCGARP answers; None while the kernel is not sure of it, or where the link is no Ethernet."""
    _family, _address, kind, octets, flags, _device = _ARPREQ.unpack(data)
    return octets[:_MAC_OCTETS] if kind == ETHERNET and flags & _ATF_COM else None


def encode_index_question(device: str) -> bytes:
    """Write the argument of SIOCGIFINDEX, which fails with ENODEV where there is no interface of this name."""
    return _IFREQ.pack(device.encode(), 0)


def decode_index(data: bytes) -> int:
    """Return the number of the interface that SIOCGIFINDEX answers."""
    _device, index = _IFREQ.unpack(data)
    return int(index)
