"""Talos' event sink, with gRPC loaded for the first machine that reports: until then, connections wait."""

import asyncio
import logging
from typing import TYPE_CHECKING

from iluvatar_pxe.layers.arda.events import TakeEvent
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, Pooled, nic_at

if TYPE_CHECKING:
    from iluvatar_pxe.servers.talos.event_sink import EventServer


class LateSink:
    """Serves the connections of all addresses; ``run`` loads what reads them."""

    def __init__(self, take: TakeEvent, allowed: Allowed, pool: ConnectionPool, mac_of: MacOf) -> None:
        self.allowed = allowed
        self.pool = pool
        self.mac_of = mac_of
        self.waiting: dict[Arrival, None] = {}
        self.server: EventServer | None = None
        self._take = take
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Load gRPC when somebody waits for it, until that has succeeded."""
        while self.server is None:
            await self._wanted.wait()
            server = self.server = await self._load()
            self._wanted.clear()
            for one in list(self.waiting):
                if server:
                    one.hand_over(server)
                else:
                    one.abort()

    def want(self, arrival: "Arrival") -> None:
        """Keep a connection until all is loaded."""
        self.waiting[arrival] = None
        self._wanted.set()

    async def _load(self) -> "EventServer | None":
        try:
            kind = await asyncio.to_thread(_kind)
            return kind(self._take, self.pool, self.mac_of)
        except Exception as error:  # noqa: BLE001 - whatever modules raise that are damaged, or find no memory
            remedy = "machines connect again, and each time this is tried again; if it stays, install the daemon again"
            complain("talos.not-loaded", logging.ERROR, error=repr(error), remedy=remedy)
            return None


class Arrival(asyncio.Protocol):
    """Somebody who has connected: refused, or passed on to gRPC, which may have to be waited for."""

    def __init__(self, sink: LateSink, open_ones: set[Pooled]) -> None:
        self._sink = sink
        self._open_ones = open_ones

    @property
    def is_served(self) -> bool:
        """Say that nothing is answered yet."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse who is not allowed; the longest silent connection ends where there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        self._transport = transport
        client = transport.get_extra_info("peername")[0]
        if not self._sink.allowed.permits(client):
            complain("talos.refused", client=client, remedy="add its network to [http] allow")
            transport.abort()
        elif self._sink.server:
            self.hand_over(self._sink.server)
        else:
            transport.pause_reading()
            self._open_ones.add(self)
            self._sink.pool.enter(self, nic_at(client, self._sink.mac_of))
            self._sink.want(self)

    def hand_over(self, server: "EventServer") -> None:
        """Have the connection served."""
        self._gone()
        connection = server.connect(self._open_ones)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        self._transport.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End."""
        self._gone()

    def abort(self) -> None:
        """End at once."""
        self._gone()
        self._transport.abort()

    def _gone(self) -> None:
        self._sink.waiting.pop(self, None)
        self._sink.pool.leave(self)
        self._open_ones.discard(self)


def _kind() -> "type[EventServer]":
    from iluvatar_pxe.servers.talos.event_sink import EventServer  # noqa: PLC0415 - 6 MiB, which few fleets need

    return EventServer
