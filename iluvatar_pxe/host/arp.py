"""Asks a segment by ARP who has an address, as a host does before it takes one (RFC 5227)."""

import asyncio
import socket
from contextlib import suppress
from ipaddress import IPv4Address

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.wire.arp import BROADCAST, ETHERTYPE, decode_arp, encode_probe

PROBES = 3
PROBE_SECONDS = 0.6
"""After each probe; RFC 5227 leaves 4 to 6 s in all to hosts that start in the same moment, and here there is one."""
_LONGEST = 64


async def holder_of(address: IPv4Address, interface: Interface) -> str | None:
    """Return the MAC of who answers for an address on an interface's segment, None where nobody does.

    Raises OSError, without CAP_NET_RAW for one. This host does not hear itself.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind((interface.name, ETHERTYPE))
        probe = encode_probe(sock.getsockname()[4], address)
        for _ in range(PROBES):
            sock.sendto(probe, (interface.name, ETHERTYPE, 0, 0, BROADCAST))
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    return await _answer(sock, address)
    return None


async def _answer(sock: socket.socket, address: IPv4Address) -> str:
    """Return the MAC of the first one who speaks as an address."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(WireError):
            message = decode_arp(await loop.sock_recv(sock, _LONGEST))
            if message.sender == address:
                return message.mac
