"""The event sink: gRPC without TLS, because Talos has no other. Nobody who reports is believed to be a machine here."""

import asyncio
import logging
from functools import partial
from typing import cast

from grpclib.config import Configuration
from grpclib.protocol import AbstractHandler
from h2.config import H2Configuration

from iluvatar_pxe.layers.arda.api.sink import LARGEST_EVENT, EventSink
from iluvatar_pxe.layers.arda.events import TakeEvent
from iluvatar_pxe.layers.grpclib_internals import CustomServer, GrpcProtocol
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, Pooled, nic_at

MOST_STREAMS = 4
"""Of one connection at the same time; Talos has one."""

_WINDOW = 65_535
"""Bytes that a client may send before they are read: the least that HTTP/2 allows."""


class EventServer:
    """Makes the connections of whoever is let in."""

    def __init__(self, take: TakeEvent, pool: ConnectionPool, mac_of: MacOf) -> None:
        logging.getLogger("grpclib.server").addFilter(_rarely)
        windows = Configuration(
            _keepalive_time=None, http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW
        )
        connect = partial(_Connection, pool=pool, mac_of=mac_of)
        self._server = CustomServer([EventSink(take)], connect, windows)

    def connect(self, open_ones: set[Pooled]) -> asyncio.Protocol:
        """Return a new connection, which is among the open ones until it ends."""
        connection = cast("_Connection", self._server.connection())
        connection.open_ones = open_ones
        return connection


class _Connection(GrpcProtocol):
    """One machine, or somebody."""

    def __init__(
        self,
        handler: AbstractHandler,
        config: Configuration,
        h2_config: H2Configuration,
        *,
        pool: ConnectionPool,
        mac_of: MacOf,
    ) -> None:
        super().__init__(handler, config, h2_config, most=LARGEST_EVENT, streams=MOST_STREAMS)
        self._pool = pool
        self._mac_of = mac_of
        self.open_ones: set[Pooled] = set()

    @property
    def is_served(self) -> bool:
        """Say that nobody waits: an event is taken at once."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the longest silent connection ends where there are too many."""
        super().connection_made(transport)
        self.open_ones.add(self)
        self._pool.enter(self, nic_at(transport.get_extra_info("peername")[0], self._mac_of))

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
        self.open_ones.discard(self)


def _rarely(record: logging.LogRecord) -> bool:
    """Have grpclib's lines, which any client can provoke, logged as rarely as ours, and without tracebacks."""
    complain("talos.event", why=record.getMessage(), error=record.exc_info and repr(record.exc_info[1]))
    return False
