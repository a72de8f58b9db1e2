"""The event sink: gRPC without TLS, because Talos has no other. Nobody who reports is believed to be a machine here."""

import asyncio
import logging
from ipaddress import IPv4Address

from grpclib.config import Configuration
from grpclib.protocol import AbstractHandler
from h2.config import H2Configuration

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.host.tcp import bind_tcp
from iluvatar_pxe.layers.arda.api.sink import LARGEST_EVENT, EventSink, TakeEvent
from iluvatar_pxe.layers.arda.events import Event
from iluvatar_pxe.layers.grpclib_internals import CustomServer, GrpcProtocol
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, nic_at

MOST_CONNECTIONS, MOST_OF_CLIENT = 64, 4
MOST_STREAMS = 4
"""Of one connection at the same time; Talos has one."""
MOST_MACHINES, MOST_EVENTS = 64, 1024
"""Whose events are remembered, and how many: a machine keeps 990, and sends all of them again."""

_BACKLOG = 128
_WINDOW = 65_535
"""Bytes that a client may send before they are read: the least that HTTP/2 allows."""


class Replays:
    """Leaves out what a machine has reported before: it repeats itself after each lost connection."""

    def __init__(self, take: TakeEvent) -> None:
        self._take = take
        self._seen: Recent[IPv4Address, Recent[str, None]] = Recent(MOST_MACHINES)

    def take(self, address: IPv4Address, event: Event) -> None:
        """Pass an event on that is new; one without an id always is."""
        seen = self._seen.get(address) or Recent(MOST_EVENTS)
        self._seen.put(address, seen)
        if event.id in seen:
            return
        if event.id:
            seen.put(event.id, None)
        self._take(address, event)


class EventListener:
    """One address of the daemon."""

    def __init__(
        self,
        address: IPv4Address,
        port: int,
        take: TakeEvent,
        allowed: Allowed,
        pool: ConnectionPool,
        mac_of: MacOf,
    ) -> None:
        """Bind; raises ServerError."""
        logging.getLogger("grpclib.server").addFilter(_rarely)
        self._socket = bind_tcp(address, port, "or set another [talos] event_port")
        self._connections: set[_Connection] = set()

        def connect(handler: AbstractHandler, config: Configuration, h2: H2Configuration) -> _Connection:
            return _Connection(handler, config, h2, allowed, pool, mac_of, self._connections)

        windows = Configuration(
            _keepalive_time=None, http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW
        )
        self._server = CustomServer([EventSink(take)], connect, windows)
        self._started = False

    async def start(self) -> None:
        """Accept connections."""
        if not self._started:
            self._started = True
            self._socket.listen(_BACKLOG)
            await self._server.start(sock=self._socket)

    def close(self) -> None:
        """Free the port, and end the connections."""
        if self._started:
            self._server.close()
        self._socket.close()
        for connection in list(self._connections):
            connection.abort()


class _Connection(GrpcProtocol):
    """One machine, or somebody."""

    def __init__(
        self,
        handler: AbstractHandler,
        config: Configuration,
        h2_config: H2Configuration,
        allowed: Allowed,
        pool: ConnectionPool,
        mac_of: MacOf,
        open_ones: "set[_Connection]",
    ) -> None:
        super().__init__(handler, config, h2_config, most=LARGEST_EVENT, streams=MOST_STREAMS)
        self._allowed = allowed
        self._pool = pool
        self._mac_of = mac_of
        self._open_ones = open_ones

    @property
    def is_served(self) -> bool:
        """Say that nobody waits: an event is taken at once."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the longest silent connection ends where there are too many."""
        super().connection_made(transport)
        client = transport.get_extra_info("peername")[0]
        self._open_ones.add(self)
        if self._allowed.permits(client):
            self._pool.enter(self, nic_at(client, self._mac_of))
        else:
            complain("talos.refused", client=client, remedy="add its network to [http] allow")
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        self._pool.heard(self)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._gone()
        super().connection_lost(exc)

    def abort(self) -> None:
        """End at once."""
        self._gone()
        self.transport.abort()

    def _gone(self) -> None:
        self._pool.leave(self)
        self._open_ones.discard(self)


def _rarely(record: logging.LogRecord) -> bool:
    """Have grpclib's lines, which any client can provoke, logged as rarely as ours, and without tracebacks."""
    complain("talos.event", why=record.getMessage(), error=record.exc_info and repr(record.exc_info[1]))
    return False
