"""How answers without an end are sent: as Server-Sent Events (HTML Living Standard, 9.2), one stream after the other."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from aiohttp import hdrs, web
from msgspec import Struct

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.connections import GuardedConnection

Feed = Callable[[], str]
"""Returns what is new since it was called last, a few dozen KB at most, or an empty string; called again until then.

It does not wait. What is the same for all streams is made once, by the first one that asks.
"""

_END_OF_LINE = re.compile("\r\n|\r|\n")
_HEARTBEAT = ": still here\n\n"
_RETRY_SECONDS = 30
_HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}
"""A proxy such as nginx would keep events until its buffer is full."""


class StreamLimits(Struct, frozen=True, kw_only=True):
    """What streams may cost."""

    total: int = 256
    """Half of the connections that HTTP has; firmware gets the rest."""
    each: int = 32
    """Of one address: its NIC may have twice as many connections."""
    period: float = 0.25
    """Seconds from one round to the next, at least: what happens meanwhile is sent together."""
    heartbeat: float = 15.0
    """Seconds of silence after which a stream shows that it is there; proxies end silent ones after 30 or 60."""
    unread: float = 10.0
    """Seconds for which a client may take nothing although its buffers are full."""
    buffer: int = 32 << 10
    """Bytes of the kernel's buffer, which doubles it (socket(7)); left alone, it grows to 4 MB for each unread stream."""


@dataclass(eq=False, slots=True)
class _Stream:
    request: web.Request
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    sent_at: float = 0.0

    @property
    def is_gone(self) -> bool:
        """Say whether the client has hung up, which aiohttp tells a handler only when it sends."""
        return _connection_of(self.request).has_ended


class Streams:
    """All streams of the daemon; each looks for news in its turn, so that whoever boots is answered in between."""

    def __init__(self, *news: Changed, limits: StreamLimits | None = None) -> None:
        """``news`` are told when a feed may have something."""
        self._news = news
        self._limits = limits or StreamLimits()
        self._streams: set[_Stream] = set()
        self._is_closing = False

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._streams)

    async def run(self) -> None:
        """Give every stream its turn after each change, and for its heartbeat, until cancelled."""
        with Subscription(*self._news) as changes:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.heartbeat):
                        await changes.wait()
                for stream in list(self._streams):
                    stream.turn.set()
                    await asyncio.sleep(0)
                await asyncio.sleep(self._limits.period)

    def close(self) -> None:
        """End all streams with a last word, and begin none."""
        self._is_closing = True
        for stream in self._streams:
            stream.turn.set()

    async def send(self, request: web.Request, feed: Feed) -> web.StreamResponse:
        """Send what ``feed`` returns until the client hangs up or this closes; raises HTTPException for one too many."""
        self._check(request)
        with self._entered(request) as stream:
            answer = web.StreamResponse(headers=_HEADERS)
            answer.force_close()
            _shrink_buffer(request, self._limits.buffer)
            try:
                async with asyncio.timeout(None) as patience:
                    await answer.prepare(request)
                    await self._follow(stream, answer, feed, patience)
            except TimeoutError:
                complain("http.stream-unread", client=request.remote, seconds=self._limits.unread)
                _connection_of(request).abort()
            except ConnectionError:
                pass  # it has hung up
            return answer

    async def _follow(
        self, stream: _Stream, answer: web.StreamResponse, feed: Feed, patience: asyncio.Timeout
    ) -> None:
        now = asyncio.get_running_loop().time

        async def write(text: str) -> None:
            patience.reschedule(now() + self._limits.unread)
            await answer.write(text.encode())
            patience.reschedule(None)
            stream.sent_at = now()

        await write("retry: 3000\n\n")
        while not self._is_closing and not stream.is_gone:
            stream.turn.clear()
            while text := feed():
                await write(text)
                await asyncio.sleep(0)
            if now() - stream.sent_at >= self._limits.heartbeat:
                await write(_HEARTBEAT)
            await stream.turn.wait()
        await write(sse("the daemon stops", kind="closing"))

    def _check(self, request: web.Request) -> None:
        """Refuse a stream that would be one too many."""
        there = [one for one in self._streams if not one.is_gone]
        of_client = sum(one.request.remote == request.remote for one in there)
        wait = {hdrs.RETRY_AFTER: str(_RETRY_SECONDS)}
        if self._is_closing:
            raise web.HTTPServiceUnavailable(text="the daemon stops", headers=wait)
        if of_client >= self._limits.each:
            text = f"{request.remote} has {of_client} streams, the most for one address; close some"
            raise web.HTTPTooManyRequests(text=text, headers=wait)
        if len(there) >= self._limits.total:
            text = f"there are {len(there)} streams, the most for all clients; try again later"
            raise web.HTTPServiceUnavailable(text=text, headers=wait)

    @contextmanager
    def _entered(self, request: web.Request) -> Iterator[_Stream]:
        stream = _Stream(request)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)


def sse(data: str, *, kind: str = "", mark: str = "") -> str:
    """Return one event: ``kind`` is its name, empty for ``message``; ``mark`` is its id. Both are one line."""
    head = (f"id: {mark}\n" if mark else "") + (f"event: {kind}\n" if kind else "")
    return head + "".join(f"data: {line}\n" for line in _END_OF_LINE.split(data)) + "\n"


def _connection_of(request: web.Request) -> GuardedConnection:
    return cast("GuardedConnection", request.protocol)


def _shrink_buffer(request: web.Request, size: int) -> None:
    if request.transport:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
