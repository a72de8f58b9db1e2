"""UDP as a firmware has it: datagrams come or do not, and whoever waits has a deadline."""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Protocol, Self

from iluvatar_pxe.host.packet_filter import Do, Step, attach_filter
from iluvatar_pxe.wire.udp import UDP, udp_payload

Peer = tuple[str, int]
"""IPv4 address as text, port."""

_WAITING = 256
"""Datagrams that wait to be read; further ones are lost, as in a card."""
_LONGEST = 65535
_ETHERTYPE_IPV4 = 0x0800
_BROADCAST_MAC = b"\xff" * 6
_BROADCAST = IPv4Address("255.255.255.255")
_IP_RECVERR = 11
"""linux/in.h: read ICMP errors as errors of the socket, ip(7)."""
_IP_HEADER = struct.Struct("!BBHHHBBH4s4s")


class Channel(Protocol):
    """Where datagrams go and come from."""

    def send(self, data: bytes, to: Peer | None = None) -> None:
        """Send a datagram, to ``to`` or by default to where this channel leads; it may be lost."""

    async def receive(self, seconds: float) -> tuple[bytes, Peer] | None:
        """Return the next datagram, or None when none comes in time.

        Raises ConnectionRefusedError when the host that this channel leads to says that nothing listens there.
        """

    def close(self) -> None:
        """Hear nothing any more."""


class _Queued:
    """What is read from a socket waits here."""

    def __init__(self, sock: socket.socket, read: Callable[[], tuple[bytes, Peer] | None]) -> None:
        self.socket = sock
        self.was_answered = False
        """Whether anything came, also that nothing listens."""
        self._read = read
        self._queue: asyncio.Queue[tuple[bytes, Peer] | ConnectionRefusedError] = asyncio.Queue(_WAITING)
        asyncio.get_running_loop().add_reader(sock, self._on_readable)

    async def receive(self, seconds: float) -> tuple[bytes, Peer] | None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                found = await self._queue.get()
        except TimeoutError:
            return None
        if isinstance(found, ConnectionRefusedError):
            raise found
        return found

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    def _on_readable(self) -> None:
        with suppress(OSError, asyncio.QueueFull):  # an ICMP error, or more than anybody reads
            try:
                found = self._read()
            except ConnectionRefusedError as error:
                self.was_answered = True
                self._queue.put_nowait(error)
            else:
                self.was_answered = True
                if found:
                    self._queue.put_nowait(found)


class UdpChannel(_Queued):
    """A UDP socket of the kernel; ``device`` is the only card it uses, ``leads_to`` where it sends by default."""

    def __init__(self, sock: socket.socket, leads_to: Peer | None) -> None:
        super().__init__(sock, lambda: sock.recvfrom(_LONGEST))
        self._leads_to = leads_to

    @classmethod
    def open(
        cls, address: str = "", port: int = 0, *, device: str | None = None, leads_to: Peer | None = None
    ) -> Self:
        """Bind it; raises OSError."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if device:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            if leads_to:
                sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            sock.bind((address, port))
        except OSError:
            sock.close()
            raise
        return cls(sock, leads_to)

    def send(self, data: bytes, to: Peer | None = None) -> None:
        """Send a datagram; the kernel may lose it."""
        if peer := to or self._leads_to:
            with suppress(OSError):
                self.socket.sendto(data, peer)


class CardChannel(_Queued):
    """DHCP on a card without an address: from 0.0.0.0 to everybody, by the card's own MAC.

    Answers are read below IP, because the kernel would drop those to an address that the card has not yet.
    """

    def __init__(self, device: str, mac: bytes, client_port: int, server_port: int, *, ttl: int = 64) -> None:
        """Open it; raises OSError. The kernel keeps away what is for other machines: of many there is a flood."""
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            attach_filter(sock, _for_this_machine(client_port, mac))
            sock.bind((device, _ETHERTYPE_IPV4))
        except OSError:
            sock.close()
            raise
        super().__init__(sock, self._datagram)
        self._device, self._ttl = device, ttl
        self._client_port, self._server_port = client_port, server_port

    def send(self, data: bytes, to: Peer | None = None) -> None:
        """Send a datagram by broadcast; there is no other way without an address."""
        del to
        udp = struct.pack("!4H", self._client_port, self._server_port, 8 + len(data), 0) + data
        packet = ip_header(len(udp), self._ttl) + udp
        with suppress(OSError):
            self.socket.sendto(packet, (self._device, _ETHERTYPE_IPV4, 0, 0, _BROADCAST_MAC))

    def _datagram(self) -> tuple[bytes, Peer] | None:
        packet, (_, _, kind, *_) = self.socket.recvfrom(_LONGEST)
        return None if kind == socket.PACKET_OUTGOING else udp_payload(packet, self._client_port)


def _for_this_machine(port: int, mac: bytes) -> Sequence[Step]:
    """Let only IP packets in that carry DHCP for this machine: by UDP port and ``chaddr``."""
    return (
        *((Do.LOAD_HALF, 22), (Do.EQUAL, port)),
        *((Do.LOAD, 56), (Do.EQUAL, int.from_bytes(mac[:4]))),
        *((Do.LOAD_HALF, 60), (Do.EQUAL, int.from_bytes(mac[4:]))),
    )


def ip_header(length: int, ttl: int) -> bytes:
    """Return the header of a UDP broadcast from nowhere with ``length`` octets behind it (RFC 791)."""
    fields = (0x45, 0, 20 + length, 0, 0, ttl, UDP)
    addresses = (bytes(4), _BROADCAST.packed)
    total = sum(struct.unpack("!10H", _IP_HEADER.pack(*fields, 0, *addresses)))
    total = (total & 0xFFFF) + (total >> 16)
    return _IP_HEADER.pack(*fields, ~(total + (total >> 16)) & 0xFFFF, *addresses)
