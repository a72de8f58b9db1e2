"""How many connections a client may hold, and for how long one that takes nothing is kept."""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from iluvatar_pxe.ratelimit import complain

CHECKS = 4
"""How often within the time of a stall a connection is looked at."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close forgets what was not sent."""
_TCP_INFO = struct.Struct("=24x I 92x Q 16x I")
"""Of linux/tcp.h: tcpi_unacked (segments), tcpi_bytes_acked, tcpi_notsent_bytes."""


@dataclass(frozen=True)
class Limits:
    """What connections may cost; the process may open 1,024 files, unless its administrator says otherwise."""

    each: int = 64
    """Connections of one client address."""
    total: int = 512
    stall: float = 60.0
    """Seconds for which a client may take nothing of what it asked for."""


LIMITS = Limits()


class ConnectionLimit:
    """Counts the connections that are open."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._inside: Counter[str] = Counter()

    def enter(self, client: str) -> bool:
        """Let one more connection of ``client`` in, or tell that it is too many."""
        if self._inside[client] >= self.limits.each or self._inside.total() >= self.limits.total:
            return False
        self._inside[client] += 1
        return True

    def leave(self, client: str) -> None:
        """Forget a connection that was let in."""
        self._inside[client] -= 1
        if not self._inside[client]:
            del self._inside[client]


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
    """A connection that is closed at once when there are too many, and later when its client stalls."""

    def __init__(self, *args: Any, limit: ConnectionLimit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limit = limit
        self._client: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection, or close it."""
        client = transport.get_extra_info("peername")[0]
        if not self._limit.enter(client):
            complain("http.crowded", client=client)
            cast("asyncio.Transport", transport).abort()
            return
        self._client = client
        super().connection_made(transport)
        self._sock: socket.socket = transport.get_extra_info("socket")
        self._progress = Progress(self._sock)
        self._check()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another connection."""
        if self._client is None:
            return
        self._limit.leave(self._client)
        self._client = None
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def _check(self) -> None:
        if self._progress.still() >= CHECKS:
            complain("http.stalled", client=self._client, seconds=self._limit.limits.stall)
            self._cut_off()
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._limit.limits.stall / CHECKS, self._check)

    def _cut_off(self) -> None:
        """Let whatever sends fail; ``transport.abort`` would leave a sendfile waiting for ever."""
        with suppress(OSError):  # the peer was quicker
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._sock.shutdown(socket.SHUT_RDWR)
