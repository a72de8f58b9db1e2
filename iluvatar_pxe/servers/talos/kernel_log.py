"""The receiver of kernel logs: a JSON object in each line by TCP, and in each datagram by UDP."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.errors import ServerError, WireError
from iluvatar_pxe.host.tcp import bind_tcp, server_on
from iluvatar_pxe.host.udp import Peer, UdpSocket
from iluvatar_pxe.layers.arda.kernel_log import LONGEST, Boot, KernelLogLine, read_line
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, nic_at

MOST_CONNECTIONS, MOST_OF_CLIENT = 64, 4
MOST_MACHINES = 64
"""Whose lines are remembered."""
AT_ONCE = 100
"""Lines of one connection in one turn of the event loop: a few milliseconds, so that other protocols have theirs."""

_BACKLOG = 128

TakeLine = Callable[[IPv4Address, KernelLogLine], None]
"""Gets the sender's address, and a line of its kernel log."""


class Lines:
    """Reads lines, and leaves out those that came before."""

    def __init__(self, take: TakeLine) -> None:
        self._take = take
        self._boots: Recent[IPv4Address, Boot] = Recent(MOST_MACHINES)

    def read(self, client: str, line: bytes) -> None:
        """Pass a line on that is new."""
        if not line.strip():
            return
        try:
            read = read_line(line)
        except WireError as error:
            complain("talos.kernel-log", client=client, why=f"a line {error}")
            return
        address = IPv4Address(client)
        boot = self._boots.get(address) or Boot()
        self._boots.put(address, boot)
        if boot.is_new(read):
            self._take(address, read)


class KernelLogListener:
    """One address of the daemon, by TCP and UDP."""

    def __init__(
        self,
        address: IPv4Address,
        port: int,
        lines: Lines,
        datagrams: Lines,
        allowed: Allowed,
        pool: ConnectionPool,
        mac_of: MacOf,
    ) -> None:
        """Bind; raises ServerError. ``datagrams`` reads what anybody may have sent in another's name."""
        self._datagram_lines = datagrams
        self._allowed = allowed
        self._connections: set[_Connection] = set()
        self._connect = lambda: _Connection(lines, allowed, pool, mac_of, self._connections)
        self._socket = bind_tcp(address, port, "or set another [talos] kernel_log_port")
        try:
            self._datagrams = UdpSocket.open(str(address), port)
        except ServerError:
            self._socket.close()
            raise
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take lines in."""
        if self._server is None:
            self._datagrams.start(self._receive)
            self._server = await server_on(self._socket, self._connect, _BACKLOG)
            await self._server.start_serving()

    def close(self) -> None:
        """Free the port, and end the connections."""
        if self._server:
            self._server.close()
        self._socket.close()
        self._datagrams.close()
        for connection in list(self._connections):
            connection.abort()

    def _receive(self, datagram: bytes, peer: Peer) -> None:
        if not self._allowed.permits(peer[0]):
            _refuse(peer[0])
        elif len(datagram) <= LONGEST:
            self._datagram_lines.read(peer[0], datagram)
        else:
            _too_long(peer[0])


class _Connection(asyncio.Protocol):
    """One machine, or somebody: what it has sent and is not read yet is bounded."""

    def __init__(
        self,
        lines: Lines,
        allowed: Allowed,
        pool: ConnectionPool,
        mac_of: MacOf,
        open_ones: "set[_Connection]",
    ) -> None:
        self._lines = lines
        self._allowed = allowed
        self._pool = pool
        self._mac_of = mac_of
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._client = ""
        self._received = bytearray()
        self._skips = False
        """What comes is the rest of a line that is too long."""

    @property
    def is_served(self) -> bool:
        """Say that nobody waits: there are no answers."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the longest silent connection ends where there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        self._transport = transport
        self._open_ones.add(self)
        self._client = transport.get_extra_info("peername")[0]
        if self._allowed.permits(self._client):
            self._pool.enter(self, nic_at(self._client, self._mac_of))
        else:
            _refuse(self._client)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Read what is left; a line without an end is none."""
        self._gone()

    def data_received(self, data: bytes) -> None:
        """Read the lines that are whole."""
        self._pool.heard(self)
        self._received += data
        self._read()

    def abort(self) -> None:
        """End at once."""
        if self._transport:
            self._transport.abort()
        self._gone()

    def _gone(self) -> None:
        self._transport = None
        self._pool.leave(self)
        self._open_ones.discard(self)

    def _read(self) -> None:
        """Read some lines; the client waits for the others to be read."""
        *whole, rest = bytes(self._received).split(b"\n", AT_ONCE)
        for line in whole:
            self._take(line)
        self._received = bytearray(rest)
        if len(whole) == AT_ONCE:
            self._pause()
            asyncio.get_running_loop().call_soon(self._read)
            return
        if len(rest) > LONGEST:
            self._received.clear()
            self._complain_once()
        self._resume()

    def _take(self, line: bytes) -> None:
        if self._skips:
            self._skips = False
        elif len(line) > LONGEST:
            _too_long(self._client)
        else:
            self._lines.read(self._client, line)

    def _complain_once(self) -> None:
        if not self._skips:
            _too_long(self._client)
        self._skips = True

    def _pause(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()


def _refuse(client: str) -> None:
    complain("talos.refused", client=client, remedy="add its network to [http] allow")


def _too_long(client: str) -> None:
    complain("talos.kernel-log", client=client, why=f"a line has more than {LONGEST} bytes")
