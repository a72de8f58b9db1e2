"""Which NIC has an address: the kernel's neighbour table, queried by netlink."""

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.own_nics import own_macs
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.wire.mac import format_mac, parse_mac
from iluvatar_pxe.wire.netlink import KNOWN, LONGEST_ANSWER, Neighbour, decode_answer, encode_question

_NON_BLOCKING_RAW = socket.SOCK_RAW | socket.SOCK_NONBLOCK
_MOST_CARDS = 1024
"""Link addresses of which it is remembered how they are written."""
_NOT_THERE = {errno.ENOENT, errno.ENODEV}
"""The kernel's words for an address that it has not heard of, and for an interface that is gone (``InterfaceWatch``)."""


class Neighbours:
    """Asks the kernel, which answers within ``send``: nothing here waits."""

    def __init__(self) -> None:
        self._served: Sequence[Interface] = ()
        self._socket: socket.socket | None = None
        self._sequence = 0

    def serve(self, interfaces: Sequence[Interface]) -> None:
        """Count only what is heard on these interfaces, from now on."""
        self._served = interfaces

    def mac_of(self, address: IPv4Address) -> str | None:
        """Return the MAC of the NIC that has ``address`` on a served segment, or None where the kernel has none.

        None too for what is no other machine's address: this server's own, loopback, groups.
        Where several interfaces know the address, the one in whose network it lies counts.
        """
        own = any(address == one.address for one in self._served)
        if own or address.is_loopback or address.is_multicast:
            return None
        nearest_first = sorted(self._served, key=lambda one: address not in one.network)
        return next((mac for one in nearest_first if (mac := self._mac_on(one, address))), None)

    def is_own(self, address: IPv4Address) -> bool:
        """Say whether an address is this host's own, which is not in the neighbour table."""
        return address.is_loopback or any(one.address == address for one in self._served)

    def macs_here(self, address: IPv4Address) -> tuple[str, ...]:
        """Return the MACs of this host's NICs where an address is its own, else none."""
        return own_macs() if self.is_own(address) else ()

    def is_routed(self, address: IPv4Address) -> bool:
        """Say whether an address is in none of the served networks, so that packets from it came through a router."""
        return not self.is_own(address) and not any(address in one.network for one in self._served)

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _mac_on(self, interface: Interface, address: IPv4Address) -> str | None:
        try:
            neighbour = self._ask_twice(address, interface.index)
        except (OSError, WireError) as error:
            self.close()
            complain("neighbours.failed", interface=interface.name, address=str(address), why=str(error))
            return None
        return _usable_mac(neighbour) if neighbour else None

    def _ask_twice(self, address: IPv4Address, index: int) -> Neighbour | None:
        """Ask, and once more on a new socket where the old one is out of step (ENOBUFS, a late answer)."""
        with suppress(OSError, WireError):
            return self._ask(address, index)
        self.close()
        return self._ask(address, index)

    def _ask(self, address: IPv4Address, index: int) -> Neighbour | None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_NETLINK, _NON_BLOCKING_RAW, socket.NETLINK_ROUTE)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._socket.send(encode_question(address, index, self._sequence))
        answer = decode_answer(self._socket.recv(LONGEST_ANSWER))
        if answer.sequence != self._sequence:
            raise WireError("an answer to an earlier question")
        if answer.errno and answer.errno not in _NOT_THERE:
            raise OSError(answer.errno, os.strerror(answer.errno))
        return answer.neighbour


def _usable_mac(neighbour: Neighbour) -> str | None:
    """Return one machine's MAC that the kernel is sure of, else None."""
    if not neighbour.state & KNOWN:
        return None
    return _mac(neighbour.link_address)


@lru_cache(_MOST_CARDS)
def _mac(octets: bytes) -> str | None:
    try:
        return parse_mac(format_mac(octets))
    except ValueError:  # not six octets, or a group's address
        return None
