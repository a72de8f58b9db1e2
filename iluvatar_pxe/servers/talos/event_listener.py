"""One address for Talos' event sink, and which of its events are new."""

import asyncio
from functools import partial
from ipaddress import IPv4Address

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.host.tcp import bind_tcp, server_on
from iluvatar_pxe.layers.arda.events import Event, TakeEvent
from iluvatar_pxe.servers.connection_pool import Pooled
from iluvatar_pxe.servers.talos.late_sink import Arrival, LateSink

MOST_CONNECTIONS, MOST_OF_CLIENT = 64, 4
MOST_MACHINES, MOST_EVENTS = 64, 1024
"""Whose events are remembered, and how many: a machine keeps 990, and sends all of them again."""

_BACKLOG = 128


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

    def __init__(self, address: IPv4Address, port: int, sink: LateSink) -> None:
        """Bind; raises ServerError."""
        self._socket = bind_tcp(address, port, "or set another [talos] event_port")
        self._connections: set[Pooled] = set()
        self._connect = partial(Arrival, sink, self._connections)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections."""
        if self._server is None:
            self._server = await server_on(self._socket, self._connect, _BACKLOG)
            await self._server.start_serving()

    def close(self) -> None:
        """Free the port, and end the connections."""
        if self._server:
            self._server.close()
        self._socket.close()
        for connection in list(self._connections):
            connection.abort()
