"""TLS in front of the HTTP server: the same connections, behind handshakes that are counted and end in time."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from functools import partial
from typing import cast

from aiohttp import web

from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.connections import ConnectionLimit, Limits

HANDSHAKES = Limits(each=32, total=256)
"""Connections that are not through with their handshake; those that are count as any other."""
HANDSHAKE_SECONDS = 10
"""For a handshake."""
SHUTDOWN_SECONDS = 10.0
"""From the end of an answer after which the server closes, until the client has taken it and closed, too."""
_BUFFER = 64 << 10
"""Octets that a connection reads at once. asyncio would have 256 KiB for each; a record has 16 (RFC 8446, 5.1)."""


class HandshakeLimit:
    """Where connections are before they are let in to aiohttp, which hears of them only after the handshake."""

    def __init__(self, context: Callable[[], ssl.SSLContext], limits: Limits = HANDSHAKES) -> None:
        """``context`` is asked at each new connection."""
        self.context = context
        self.limit = ConnectionLimit(limits)
        self.connections: dict[asyncio.BaseProtocol, asyncio.Transport] = {}
        """All TLS connections, from the first octet to the last."""

    def close(self) -> None:
        """End what is still open: handshakes, and clients that do not take leave."""
        for transport in self.connections.values():
            transport.abort()


class TlsSite(web.BaseSite):
    """Listens on one address, and gives every connection TLS of its own, around a connection of the runner."""

    def __init__(self, runner: web.BaseRunner, address: str, port: int, handshakes: HandshakeLimit) -> None:
        super().__init__(runner)
        self._address = address
        self._port = port
        self._handshakes = handshakes

    @property
    def name(self) -> str:
        """URL without a path."""
        return f"https://{self._address}:{self._port}"

    async def start(self) -> None:
        """Listen; raises OSError."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._meet, self._address, self._port, backlog=self._backlog)

    def _meet(self) -> asyncio.BaseProtocol:
        return _TlsConnection(self._handshakes, cast("web.Server", self._runner.server)())


class _TlsConnection(SSLProtocol):
    """What asyncio puts around a connection with TLS; here the number of handshakes is limited as well.

    ``create_server(ssl=...)`` tells nobody of a connection before its handshake, so that one client could hold every
    descriptor of the process by connections on which it says nothing.
    """

    max_size = _BUFFER

    def __init__(self, handshakes: HandshakeLimit, inside: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        self._handshakes = handshakes
        self._through = loop.create_future()
        """Done when the handshake is: it succeeded, failed, took too long, or the client went away."""
        super().__init__(
            loop,
            inside,
            handshakes.context(),
            self._through,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or close the connection."""
        tcp = cast("asyncio.Transport", transport)
        client = tcp.get_extra_info("peername")[0]
        if not self._handshakes.limit.enter(client):
            complain("tls.crowded", client=client)
            tcp.abort()
            return
        self._through.add_done_callback(partial(self._leave, client))
        self._handshakes.connections[self] = tcp
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell aiohttp, if it has ever heard of this connection."""
        self._handshakes.connections.pop(self, None)
        super().connection_lost(exc)

    def _leave(self, client: str, through: asyncio.Future[None]) -> None:
        self._handshakes.limit.leave(client)
        through.exception()  # else asyncio would log that nobody has asked for it
