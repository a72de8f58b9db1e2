"""TLS in front of the HTTP server: the same connections, behind handshakes that are counted and end in time."""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import cast

from aiohttp import web

from iluvatar_pxe.servers.connection_pool import ConnectionPool, MacOf, nic_at
from iluvatar_pxe.servers.library_internals import TlsProtocol

MOST_OF_NIC, MOST_HANDSHAKES = 32, 256
"""Connections that are not through with their handshake; those that are count as any other."""
HANDSHAKE_SECONDS = 10
"""For a handshake."""
SHUTDOWN_SECONDS = 10.0
"""From the end of an answer after which the server closes, until the client has taken it and closed, too."""
_BACKLOG = 128
"""Connections that the kernel accepts ahead, as aiohttp has it."""


class HandshakeLimit:
    """Where connections are before they are let in to aiohttp, which hears of them only after the handshake."""

    def __init__(self, context: Callable[[], ssl.SSLContext], mac_of: MacOf) -> None:
        """``context`` is asked at each new connection."""
        self.context = context
        self.client_at = partial(nic_at, mac_of=mac_of)
        self.pool = ConnectionPool("tls.crowded", each=MOST_OF_NIC, total=MOST_HANDSHAKES)
        self.connections: dict[asyncio.BaseProtocol, asyncio.Transport] = {}
        """All TLS connections, from the first octet to the last."""

    def close(self) -> None:
        """End what is still open: handshakes, and clients that do not take leave."""
        for transport in self.connections.values():
            transport.abort()


class TlsSite:
    """Listens on one address, and gives every connection TLS of its own, around a connection of the runner."""

    def __init__(self, runner: web.BaseRunner, address: str, port: int, handshakes: HandshakeLimit) -> None:
        self._runner = runner
        self._address = address
        self._port = port
        self._handshakes = handshakes
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._meet, self._address, self._port, backlog=_BACKLOG)

    async def stop(self) -> None:
        """Listen no more; connections that are open stay."""
        if self._listener:
            self._listener.close()

    def _meet(self) -> asyncio.BaseProtocol:
        return _TlsConnection(self._handshakes, cast("web.Server", self._runner.server)())


class _TlsConnection(TlsProtocol):
    """Limits the number of handshakes."""

    is_served = False

    def __init__(self, handshakes: HandshakeLimit, inside: asyncio.Protocol) -> None:
        self._handshakes = handshakes
        self._through = asyncio.get_running_loop().create_future()
        """Done when the handshake is: it succeeded, failed, took too long, or the client went away."""
        super().__init__(
            inside,
            handshakes.context(),
            self._through,
            handshake=HANDSHAKE_SECONDS,
            shutdown=SHUTDOWN_SECONDS,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake; another one may have to make room."""
        self._tcp = cast("asyncio.Transport", transport)
        self._handshakes.pool.enter(self, self._handshakes.client_at(self._tcp.get_extra_info("peername")[0]))
        self._through.add_done_callback(self._leave)
        self._handshakes.connections[self] = self._tcp
        super().connection_made(transport)

    def abort(self) -> None:
        """Make room for another handshake."""
        self._handshakes.pool.leave(self)
        self._tcp.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell aiohttp, if it has ever heard of this connection."""
        self._handshakes.connections.pop(self, None)
        super().connection_lost(exc)

    def _leave(self, through: asyncio.Future[None]) -> None:
        self._handshakes.pool.leave(self)
        through.exception()  # else asyncio would log that nobody has asked for it
