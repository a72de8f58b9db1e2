"""Who is served next by git, of which only so many run at a time: one holder's slow requests leave room for others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from iluvatar_pxe.changed import Changed, Subscription


class Turns:
    """Gives a holder another turn only while it has fewer than are free.

    So one holder gets at most half of them, the next half of the rest, and so on: with 8 turns, four holders have to
    work together to keep a fifth waiting.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()
        self._freed = Changed()

    @asynccontextmanager
    async def turn(self, holder: str, patience: float) -> AsyncIterator[None]:
        """Wait for a turn, and hold it inside the block; raises TimeoutError after ``patience`` seconds."""
        async with asyncio.timeout(patience):
            await self._take(holder)
        try:
            yield
        finally:
            self._held[holder] -= 1
            self._held += Counter()  # forgets who holds none
            self._freed.tell()

    async def _take(self, holder: str) -> None:
        with Subscription(self._freed) as news:
            while self._held[holder] >= self._most - self._held.total():
                await news.wait()
        self._held[holder] += 1
