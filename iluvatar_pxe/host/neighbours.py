"""Which NIC has an address: the kernel's neighbour table, queried by ioctl."""

import errno
import fcntl
import socket
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address

from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.own_nics import own_macs
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.wire.arp_table import (
    SIOCGARP,
    SIOCGIFINDEX,
    decode_answer,
    decode_index,
    encode_index_question,
    encode_question,
)
from iluvatar_pxe.wire.mac import format_mac, parse_mac

_MOST_CARDS = 1024
"""Link addresses of which it is remembered how they are written."""
_MOST_ADDRESSES = 1024
"""Addresses of which it is remembered which interfaces may know them."""
_NOT_THERE = {errno.ENXIO, errno.ENODEV}
"""The kernel's words for an address that it has not heard of, and for an interface that is gone (``InterfaceWatch``)."""


class Neighbours:
    """Asks the kernel, which answers at once: nothing here waits."""

    def __init__(self) -> None:
        self._served: Sequence[Interface] = ()
        self._socket: socket.socket | None = None
        self._nearest_first = lru_cache(_MOST_ADDRESSES)(self._sort)
        self._is_elsewhere = lru_cache(_MOST_ADDRESSES)(self._is_in_none)

    def serve(self, interfaces: Sequence[Interface]) -> None:
        """Count only what is heard on these interfaces, from now on."""
        self._served = interfaces
        self._nearest_first.cache_clear()
        self._is_elsewhere.cache_clear()

    def mac_of(self, address: IPv4Address) -> str | None:
        """Return the MAC of the NIC that has ``address`` on a served segment, or None where the kernel has none.

        None too for what is no other machine's address: this server's own, loopback, groups.
        Where several interfaces know the address, the one in whose network it lies counts.
        """
        for one in self._nearest_first(address):
            if mac := self._mac_on(one, address):
                return mac
        return None

    def is_own(self, address: IPv4Address) -> bool:
        """Say whether an address is this host's own, which is not in the neighbour table."""
        return address.is_loopback or any(one.address == address for one in self._served)

    def macs_here(self, address: IPv4Address) -> tuple[str, ...]:
        """Return the MACs of this host's NICs where an address is its own, else none."""
        return own_macs() if self.is_own(address) else ()

    def is_routed(self, address: IPv4Address) -> bool:
        """Say whether an address is in none of the served networks, so that packets from it came through a router."""
        return self._is_elsewhere(address)

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _is_in_none(self, address: IPv4Address) -> bool:
        return not self.is_own(address) and not any(address in one.network for one in self._served)

    def _sort(self, address: IPv4Address) -> Sequence[Interface]:
        """Return the interfaces that may know another machine's address, that in whose network it lies first."""
        own = any(address == one.address for one in self._served)
        if own or address.is_loopback or address.is_multicast:
            return ()
        return sorted(self._served, key=lambda one: address not in one.network)

    def _mac_on(self, interface: Interface, address: IPv4Address) -> str | None:
        try:
            octets = self._ask(interface, address)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                complain("neighbours.failed", interface=interface.name, address=str(address), why=str(error))
            return None
        return _mac(octets) if octets else None

    def _ask(self, interface: Interface, address: IPv4Address) -> bytes | None:
        """Return a MAC; raises OSError. An interface that has taken over another one's name is not asked."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        index = fcntl.ioctl(self._socket, SIOCGIFINDEX, encode_index_question(interface.name))
        if decode_index(index) != interface.index:
            return None
        return decode_answer(fcntl.ioctl(self._socket, SIOCGARP, encode_question(address, interface.name)))


@lru_cache(_MOST_CARDS)
def _mac(octets: bytes) -> str | None:
    try:
        return parse_mac(format_mac(octets))
    except ValueError:  # a group's address
        return None
