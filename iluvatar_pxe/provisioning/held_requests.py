"""Requests that are held open until what they ask for is there: whoever asks has little patience for refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from msgspec import Struct, field

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import ConfigurationError

AGAIN_SECONDS = 5.0
"""Until something is tried again that nobody tells about, such as an interface's address or the clock."""
MOST_WAITING = 256
"""Requests that are held open at once; each has shown the ticket of its machine."""

FoundT = TypeVar("FoundT")


class HeldRequests(Struct, frozen=True):
    """Those of one kind, which are held for so many seconds at most."""

    changes: tuple[Changed, ...]
    """Told when something else may be made than before."""
    seconds: float
    _waiting: set[object] = field(default_factory=set)
    """One thing for each request that is held open."""

    async def when_ready(self, attempt: Callable[[], Awaitable[FoundT]]) -> FoundT:
        """Return what an attempt returns, made again after each change; raises its ConfigurationError when the time is over."""
        loop, place = asyncio.get_running_loop(), object()
        ends = loop.time() + self.seconds
        self._waiting.add(place)
        try:
            with Subscription(*self.changes) as news:
                while True:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(AGAIN_SECONDS):
                            await news.wait()
                    try:
                        return await attempt()
                    except ConfigurationError:
                        if loop.time() >= ends or len(self._waiting) > MOST_WAITING:
                            raise
        finally:
            self._waiting.discard(place)
