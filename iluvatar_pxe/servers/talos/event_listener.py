"""One address for Talos' event sink. Before the first machine reports, only its socket is there."""

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.host.tcp import bind_tcp
from iluvatar_pxe.layers.arda.events import Event, TakeEvent
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf

if TYPE_CHECKING:
    from iluvatar_pxe.servers.talos.event_sink import EventServer

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
        self._socket = bind_tcp(address, port, "or set another [talos] event_port")
        self._parts = (take, allowed, pool, mac_of)
        self._server: EventServer | None = None
        self._loading: asyncio.Task[None] | None = None
        self._started = False

    async def start(self) -> None:
        """Listen. The first connection waits in the kernel until gRPC is loaded."""
        if not self._started:
            self._started = True
            self._socket.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(self._socket, self._load)

    def close(self) -> None:
        """Free the port, and end the connections."""
        if self._started:
            asyncio.get_running_loop().remove_reader(self._socket)
        if self._loading:
            self._loading.cancel()
        if self._server:
            self._server.close()
        self._socket.close()

    def _load(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._loading = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        kind = await asyncio.to_thread(_kind)
        self._server = kind(*self._parts)
        await self._server.start(self._socket)


def _kind() -> "type[EventServer]":
    from iluvatar_pxe.servers.talos.event_sink import EventServer  # noqa: PLC0415 - 6 MiB, which few fleets need

    return EventServer
