"""The two ways onto the network: as a program of this host, or by a card of one's own."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface
from itertools import count
from typing import Any, Protocol

import aiohttp
from msgspec import Struct

from iluvatar_pxe.errors import SimulateError
from iluvatar_pxe.simulate.link.addresses import set_address
from iluvatar_pxe.simulate.link.channel import CardChannel, Channel, UdpChannel
from iluvatar_pxe.simulate.link.macvlan import card_name

_FIRST_PORT = 49152
_LAST_PORT = 65535
_UNREACHABLE = "{address} cannot be reached from here: {why}; pass the server with --server"


class Ports(Struct, frozen=True):
    """UDP ports, as ``[dhcp]`` and ``[tftp]`` of the settings have them."""

    dhcp: int = 67
    pxe: int = 4011
    tftp: int = 69
    client: int = 68


class Attachment(Protocol):
    """How one machine is on the network."""

    ports: Ports
    needs_lease: bool
    """A router gives the address; otherwise the machine has this host's, and asks for none."""
    address: IPv4Address

    def dhcp(self, *, ttl: int = 64) -> Channel:
        """Open where DHCP is spoken before there is an address."""

    def udp(self, port: int = 0) -> UdpChannel:
        """Open a socket, on ``port`` where it is the machine's own to choose."""

    def connector(self) -> aiohttp.BaseConnector:
        """Return how HTTP connections are made."""

    async def take(self, address: IPv4Address, prefix_length: int) -> None:
        """Use an address from now on."""


class HostAttachment:
    """From this host's own address, to one server, by unicast: needs no rights, and takes no lease."""

    needs_lease = False

    def __init__(self, server: IPv4Address, ports: Ports) -> None:
        """Raises SimulateError when there is no way to the server."""
        self.ports = ports
        self._server = server
        self._opened: list[UdpChannel] = []
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((str(server), ports.dhcp))
                self.address = IPv4Address(probe.getsockname()[0])
        except OSError as error:
            raise SimulateError(_UNREACHABLE.format(address=server, why=error.strerror)) from error

    @property
    def was_answered(self) -> bool:
        """Say whether the server has answered DHCP, or its host that nothing listens there."""
        return any(channel.was_answered for channel in self._opened)

    def dhcp(self, *, ttl: int = 64) -> Channel:
        """Open a socket that leads to the server; ``ttl`` is the kernel's."""
        del ttl
        channel = UdpChannel.open(leads_to=(str(self._server), self.ports.dhcp))
        self._opened.append(channel)
        return channel

    def udp(self, port: int = 0) -> UdpChannel:
        """Open a socket on any port: this host's own may be taken."""
        del port
        return UdpChannel.open()

    def connector(self) -> aiohttp.BaseConnector:
        """Return connections of this host."""
        return aiohttp.TCPConnector(limit=0, force_close=True)

    async def take(self, address: IPv4Address, prefix_length: int) -> None:
        """Take nothing."""


class CardAttachment:
    """By a card that ``cards.plugged_in`` has made."""

    needs_lease = True

    def __init__(self, mac: bytes, ports: Ports) -> None:
        self.ports = ports
        self.address = IPv4Address(0)
        self._mac, self._card = mac, card_name(mac)
        self._interface: IPv4Interface | None = None
        self._next_port = count(_FIRST_PORT)

    def dhcp(self, *, ttl: int = 64) -> Channel:
        """Speak from 0.0.0.0 to everybody."""
        try:
            return CardChannel(self._card, self._mac, self.ports.client, self.ports.dhcp, ttl=ttl)
        except OSError as error:
            raise SimulateError(f"{self._card} cannot be used: {error.strerror}; run it as root") from error

    def udp(self, port: int = 0) -> UdpChannel:
        """Open a socket on the card, on the port after the last one unless one is given."""
        span = _LAST_PORT - _FIRST_PORT + 1
        chosen = port or _FIRST_PORT + (next(self._next_port) - _FIRST_PORT) % span
        try:
            return UdpChannel.open(str(self.address), chosen, device=self._card)
        except OSError as error:
            raise SimulateError(f"UDP port {chosen} of {self._card}: {error.strerror}") from error

    def connector(self) -> aiohttp.BaseConnector:
        """Return connections that use the card."""
        return aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=self._tcp)

    async def take(self, address: IPv4Address, prefix_length: int) -> None:
        """Give the card its address."""
        interface = IPv4Interface(f"{address}/{prefix_length}")
        await asyncio.to_thread(set_address, self._card, interface, self._interface)
        self.address, self._interface = address, interface

    def _tcp(self, info: Sequence[Any]) -> socket.socket:
        sock = socket.socket(info[0], info[1], info[2])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._card.encode())
        sock.bind((str(self.address), 0))
        return sock
