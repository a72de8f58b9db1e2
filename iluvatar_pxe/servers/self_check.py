"""The daemon queries its own sockets, as a client would.

What hangs up is crowded, not dead, as is a process without a free descriptor; an address that has just gone from the
host is for ``InterfaceWatch`` to follow, and where loopback carries nothing, nobody can be asked there: a new start
would help against none of these.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import structlog

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.interface_watch import InterfaceWatch
from iluvatar_pxe.host.udp import Peer, UdpSocket
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.servers.dns.server import DnsServer
from iluvatar_pxe.servers.tftp.server import SELF_CHECK, TftpServer
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query
from iluvatar_pxe.wire.dns.types import Type
from iluvatar_pxe.wire.tftp.packet import encode

_UDP_SOCKETS = Path("/proc/self/net/udp")
_BROADCAST = "255.255.255.255"
_AGAIN = 1.0
"""Seconds until a datagram is sent again: it may be lost in a flood."""
_ECHO = b"self-check"
_TFTP_QUESTION = encode(SELF_CHECK)
"""To write is refused before anything else: also where no more transfers are taken."""
_DNS_QUESTION = make_query(name_of("localhost"), Type.SOA)
"""Nobody else is asked for that."""

_log = structlog.get_logger()

Question = tuple[str, Callable[[], Awaitable[object]]]
"""Who is asked, and what asks, which ends when there was an answer."""


class SelfCheck:
    """Asks DNS, HTTP and TFTP at each address, the control socket, the kernel for DHCP's sockets, and the threads."""

    def __init__(self, settings: Settings, tftp: TftpServer, dns: DnsServer, watch: InterfaceWatch) -> None:
        self._settings = settings
        self._tftp = tftp
        self._dns = dns
        self._watch = watch
        self._problem = Problem(lambda text: _log.warning("self-check", problem=text), once=True)

    @property
    def blocked_by(self) -> str | None:
        """Return why the servers could not be asked the last time, in one line, or None."""
        return self._problem.text

    async def problem(self, patience: float) -> str | None:
        """Return in one line what gave no answer for ``patience`` seconds, or None."""
        deaf, servers, silent = await asyncio.gather(
            *(_silent(ask, patience) for ask in (self._echoes(), self._of_servers(), self._of_the_process()))
        )
        self._hinder(deaf)
        silent += [] if deaf else servers
        silent += [f"DHCP at {address}:{port}" for address, port in self._unbound()]
        return f"no answer from {', '.join(silent)}" if silent else None

    @property
    def _addresses(self) -> list[str]:
        """The addresses at which everything is bound; none while something cannot be, which the watch has said."""
        return [] if self._watch.unserved else [str(one.address) for one in self._watch.interfaces]

    def _hinder(self, deaf: Sequence[str]) -> None:
        text = (
            f"loopback does not work at {', '.join(deaf)}: HTTP and TFTP cannot be checked; see ip link, nft"
        )
        self._problem.set(text if deaf else None)

    def _echoes(self) -> Iterator[Question]:
        for address in sorted({"127.0.0.1", *self._addresses, *(one for one, _ in self._tftp.listening)}):
            yield address, partial(_ask_by_udp, address, None, _ECHO)

    def _of_servers(self) -> Iterator[Question]:
        port = self._settings.http.port
        for address in ("127.0.0.1", *self._addresses):
            yield f"HTTP at {address}:{port}", partial(_ask_http, address, port)
        for address, port in self._tftp.listening:
            yield f"TFTP at {address}:{port}", partial(_ask_by_udp, address, port, _TFTP_QUESTION)
        for address, port in self._dns.listening:
            yield f"DNS at {address}:{port}", partial(_ask_by_udp, address, port, _DNS_QUESTION)

    def _of_the_process(self) -> Iterator[Question]:
        control = self._settings.control_socket
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
        try:
            there = parse_udp_sockets(_UDP_SOCKETS.read_text("ascii"))
        except OSError:  # no descriptor is free
            return set()
        return {*wanted, (_BROADCAST, dhcp.port)} - there


def parse_udp_sockets(table: str) -> set[Peer]:
    """Return the local addresses in ``/proc/net/udp``; the kernel writes them as numbers of its own byte order."""
    found = set()
    for line in table.splitlines()[1:]:
        address, _, port = line.split()[1].partition(":")
        octets = int(address, 16).to_bytes(4, sys.byteorder)
        found.add((str(IPv4Address(octets)), int(port, 16)))
    return found


async def _silent(questions: Iterable[Question], patience: float) -> list[str]:
    """Ask all of these at once, and return who is silent."""
    asked = [_silence(who, ask, patience) for who, ask in questions]
    return [who for who in await asyncio.gather(*asked) if who]


async def _silence(who: str, ask: Callable[[], Awaitable[object]], patience: float) -> str | None:
    """Return ``who`` when it is not there, or says nothing for so many seconds."""
    try:
        async with asyncio.timeout(patience):
            await ask()
    except (TimeoutError, ConnectionRefusedError, FileNotFoundError):
        return who
    except (OSError, ServerError):  # hung up, no descriptor is free, or the address is gone
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


async def _ask_by_udp(address: str, port: int | None, question: bytes) -> None:
    """Ask until there is an answer, whatever it says; without a port this asks itself."""
    answered = asyncio.Event()
    udp = UdpSocket.open(address, 0)
    server = udp.local if port is None else (address, port)
    try:
        udp.start(lambda _data, _peer: answered.set())
        while not answered.is_set():
            udp.send(question, server)
            with suppress(TimeoutError):
                await asyncio.wait_for(answered.wait(), _AGAIN)
    finally:
        udp.close()


def _nothing() -> None:
    """Take a turn in a thread."""
