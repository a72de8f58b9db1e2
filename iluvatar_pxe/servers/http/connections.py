"""How many connections a client may hold, and for how long one is kept that takes nothing or sends no request."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from aiohttp import web
from msgspec import Struct

from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.connection_pool import ConnectionPool
from iluvatar_pxe.servers.library_internals import Handler, has_queued, is_idle

CHECKS = 4
"""How often within the time of a stall a connection is looked at."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close forgets what was not sent."""
_TCP_INFO = struct.Struct("=24x I 92x Q 16x I")
"""Of linux/tcp.h: tcpi_unacked (segments), tcpi_bytes_acked, tcpi_notsent_bytes."""


class Limits(Struct, frozen=True):
    """What connections may cost. A download takes up to five descriptors, and the service has 8,192 (``LimitNOFILE``)."""

    each: int = 64
    """Connections of one NIC."""
    total: int = 512
    header: float = 10.0
    """Seconds from the first byte of a request to the end of its header, and from a connection's start to that of its first."""
    stall: float = 60.0
    """Seconds for which a client may take nothing of what it asked for."""


LIMITS = Limits()


class Progress:
    """Whether the peer of a TCP connection takes what is sent to it, as the kernel knows.

    TCP_USER_TIMEOUT would not do: the kernel starts its count again only when the window has room for a
    whole segment of up to 64 KiB, so that it ends also connections that take less at a time.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._taken = -1
        self._still = 0

    def still(self) -> int:
        """Return how many times in a row something was to be sent and nothing was taken since the last time."""
        octets = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        unanswered, taken, unsent = _TCP_INFO.unpack(octets)
        waits = bool(unanswered or unsent) and taken == self._taken
        self._still = self._still + 1 if waits else 0
        self._taken = taken
        return self._still


class GuardedConnection(web.RequestHandler):
    """A connection that makes room for others, and that ends when its client stalls or does not finish its request."""

    def __init__(
        self, *args: Any, limits: Limits, pool: ConnectionPool, client_at: Callable[[str], str], **kwargs: Any
    ) -> None:
        """``client_at`` tells by what the client at an address is counted."""
        super().__init__(*args, **kwargs)
        self._request: web.BaseRequest | None = None
        self._has_ended = False
        self._limits = limits
        self._pool = pool
        self._client_at = client_at
        self._progress_timer: asyncio.TimerHandle | None = None
        self._header_timer: asyncio.TimerHandle | None = None

    @property
    def is_served(self) -> bool:
        """Say whether a request is being served."""
        return self._request is not None

    @property
    def has_ended(self) -> bool:
        """Say whether the client sends no more, or has hung up."""
        return self._has_ended or self.transport is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection; another one may have to make room."""
        self._client = self._client_at(transport.get_extra_info("peername")[0])
        self._transport = cast("asyncio.Transport", transport)
        self._sock: socket.socket = transport.get_extra_info("socket")
        self._progress = Progress(self._sock)
        self._pool.enter(self, self._client)
        super().connection_made(transport)
        self._check()
        self._expect_request()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another connection, and let whatever still sends to this one fail."""
        self._leave()
        if self.is_served:
            with suppress(OSError):  # it is closed already
                self._sock.shutdown(socket.SHUT_RDWR)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give a request of which not all came at once the time for its header."""
        super().data_received(data)
        if not self.is_served and self._header_timer is None and not has_queued(self):
            self._expect_request()

    def eof_received(self) -> Any:  # aiohttp says None, asyncio also takes a bool
        """Answer first what a client asked that sends no more; TLS does not know such clients."""
        if is_idle(self) or self._transport.get_extra_info("sslcontext"):
            return False
        self._has_ended = True
        self._end_with_last()
        return self._request is None or self._request.content.is_eof()

    def begin(self, request: web.BaseRequest) -> None:
        """Let others make room first while a request is served; one whose body ended too early is none."""
        self._cancel_header_timer()
        self._request = request
        if self._has_ended:
            self._end_with_last()
            if not request.content.is_eof():
                self._transport.close()

    def end(self) -> None:
        """Take note that the request is answered."""
        self._request = None
        self._pool.heard(self)

    def abort(self) -> None:
        """Let whatever sends fail, and end; ``transport.abort`` would let the kernel go on with what it has."""
        self._leave()
        with suppress(OSError):  # the peer was quicker
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._sock.shutdown(socket.SHUT_RDWR)

    def _end_with_last(self) -> None:
        """End with the answer that is being made, unless there is another request to answer."""
        if not has_queued(self):
            self.close()

    def _leave(self) -> None:
        self._pool.leave(self)
        self._cancel_header_timer()
        if self._progress_timer:
            self._progress_timer.cancel()

    def _check(self) -> None:
        if self._progress.still() >= CHECKS:
            complain("http.stalled", client=self._client, seconds=self._limits.stall)
            self.abort()
        else:
            loop = asyncio.get_running_loop()
            self._progress_timer = loop.call_later(self._limits.stall / CHECKS, self._check)

    def _expect_request(self) -> None:
        loop = asyncio.get_running_loop()
        self._header_timer = loop.call_later(self._limits.header, self._miss_request)

    def _miss_request(self) -> None:
        complain("http.silent", logging.INFO, client=self._client, seconds=self._limits.header)
        self.abort()

    def _cancel_header_timer(self) -> None:
        if self._header_timer:
            self._header_timer.cancel()
            self._header_timer = None


def noting_service(handler: Handler) -> Handler:
    """Return a handler that tells the connection while it serves a request."""

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("GuardedConnection", request.protocol)
        connection.begin(request)
        try:
            return await handler(request)
        finally:
            connection.end()

    return serve
