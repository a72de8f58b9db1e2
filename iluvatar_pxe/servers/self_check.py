"""The daemon asks itself on its own sockets, as a client would.

What hangs up is crowded, not dead, and an address that has just gone from the host is for ``InterfaceWatch`` to
follow: a new start would help against neither.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.servers.interface_watch import InterfaceWatch
from iluvatar_pxe.servers.tftp import SELF_CHECK, TftpServer
from iluvatar_pxe.servers.udp import Peer, UdpSocket
from iluvatar_pxe.settings import Settings
from iluvatar_pxe.wire.tftp import encode

_UDP_SOCKETS = Path("/proc/self/net/udp")
_BROADCAST = "255.255.255.255"
_AGAIN = 1.0
"""Seconds until a TFTP request is sent again: a datagram may be lost in a flood."""

Question = tuple[str, Callable[[], Awaitable[object]]]
"""Who is asked, and what asks, which ends when there was an answer."""


class SelfCheck:
    """Asks HTTP and TFTP at each address, the control socket, the kernel for DHCP's sockets, and the threads."""

    def __init__(self, settings: Settings, tftp: TftpServer, watch: InterfaceWatch) -> None:
        self._settings = settings
        self._tftp = tftp
        self._watch = watch

    async def problem(self, patience: float) -> str | None:
        """Return in one line what gave no answer for ``patience`` seconds, or None."""
        asked = [_silence(who, ask, patience) for who, ask in self._questions()]
        silent = [who for who in await asyncio.gather(*asked) if who]
        silent += [f"DHCP at {address}:{port}" for address, port in self._unbound()]
        return f"no answer from {', '.join(silent)}" if silent else None

    @property
    def _addresses(self) -> list[str]:
        """The addresses at which everything is bound; none while something cannot be, which the watch has said."""
        return [] if self._watch.problem else [str(one.address) for one in self._watch.interfaces]

    def _questions(self) -> Iterator[Question]:
        port, control = self._settings.http.port, self._settings.control_socket
        for address in ("127.0.0.1", *self._addresses):
            yield f"HTTP at {address}:{port}", partial(_ask_http, address, port)
        for address, port in self._tftp.listening:
            yield f"TFTP at {address}:{port}", partial(_ask_tftp, (address, port))
        yield str(control), partial(_ask_control, control)
        yield "the threads that read files", partial(asyncio.to_thread, _nothing)

    def _unbound(self) -> set[Peer]:
        """Return DHCP's sockets that the kernel does not know.

        They cannot be asked: they take only what comes in by their interface, and this comes by loopback.
        """
        if self._settings.network.dhcp == "off" or not self._addresses:
            return set()
        dhcp = self._settings.dhcp
        wanted = {(address, port) for address in self._addresses for port in (dhcp.port, dhcp.pxe_port)}
        return {*wanted, (_BROADCAST, dhcp.port)} - parse_udp_sockets(_UDP_SOCKETS.read_text("ascii"))


def parse_udp_sockets(table: str) -> set[Peer]:
    """Return the local addresses in ``/proc/net/udp``; the kernel writes them as numbers of its own byte order."""
    found = set()
    for line in table.splitlines()[1:]:
        address, _, port = line.split()[1].partition(":")
        octets = int(address, 16).to_bytes(4, sys.byteorder)
        found.add((str(IPv4Address(octets)), int(port, 16)))
    return found


async def _silence(who: str, ask: Callable[[], Awaitable[object]], patience: float) -> str | None:
    """Return ``who`` when it is not there, or says nothing for so many seconds."""
    try:
        async with asyncio.timeout(patience):
            await ask()
    except (TimeoutError, ConnectionRefusedError):
        return who
    except (OSError, ServerError):  # hung up, or the address is gone
        return None
    return None


async def _ask_http(address: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(address, port, local_addr=(address, 0))
    await _converse(reader, writer, "/healthz")


async def _ask_control(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    await _converse(reader, writer, "/api/v1/enrolment")


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Wait for the first octets of an answer, whatever they say, or for the end."""
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        await reader.read(1)
    finally:
        writer.close()


async def _ask_tftp(server: Peer) -> None:
    """Ask to write, which is refused before anything else: also where no more transfers are taken."""
    answered = asyncio.Event()
    udp = UdpSocket.open(server[0], 0)
    try:
        udp.start(lambda _data, _peer: answered.set())
        while not answered.is_set():
            udp.send(encode(SELF_CHECK), server)
            with suppress(TimeoutError):
                await asyncio.wait_for(answered.wait(), _AGAIN)
    finally:
        udp.close()


def _nothing() -> None:
    """Take a turn in a thread."""
