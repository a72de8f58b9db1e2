"""The event sink: gRPC without TLS, because Talos has no other. Nobody who reports is believed to be a machine here."""

import asyncio
import logging
import socket

from grpclib.config import Configuration
from grpclib.protocol import AbstractHandler
from h2.config import H2Configuration

from iluvatar_pxe.layers.arda.api.sink import LARGEST_EVENT, EventSink
from iluvatar_pxe.layers.arda.events import TakeEvent
from iluvatar_pxe.layers.grpclib_internals import CustomServer, GrpcProtocol
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, nic_at

MOST_STREAMS = 4
"""Of one connection at the same time; Talos has one."""

_WINDOW = 65_535
"""Bytes that a client may send before they are read: the least that HTTP/2 allows."""


class EventServer:
    """Serves whoever connects to one socket."""

    def __init__(self, take: TakeEvent, allowed: Allowed, pool: ConnectionPool, mac_of: MacOf) -> None:
        logging.getLogger("grpclib.server").addFilter(_rarely)
        self._connections: set[_Connection] = set()

        def connect(handler: AbstractHandler, config: Configuration, h2: H2Configuration) -> _Connection:
            return _Connection(handler, config, h2, allowed, pool, mac_of, self._connections)

        windows = Configuration(
            _keepalive_time=None, http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW
        )
        self._server = CustomServer([EventSink(take)], connect, windows)

    async def start(self, sock: socket.socket) -> None:
        """Accept connections."""
        await self._server.start(sock=sock)

    def close(self) -> None:
        """Accept no more, and end those that there are."""
        self._server.close()
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
