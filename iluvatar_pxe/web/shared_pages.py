"""A page that many ask for at once is rendered for all of them, and the daemon answers others meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from iluvatar_pxe.bounded import Recent

MOST_PAGES = 16
"""Kept, of about 40 KB each."""


class SharedPages:
    """Renders one page after the other. Belongs to one event loop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._asked = 0
        self._pages: Recent[Hashable, tuple[int, str]] = Recent(MOST_PAGES)
        """By what is asked for, how often anything had been asked for when it was begun, and the page."""

    async def get(self, key: Hashable, render: Callable[[], Awaitable[str]]) -> str:
        """Return what ``render`` returns, or what another call for the same key has rendered since this was called."""
        self._asked += 1
        asked = self._asked
        async with self._lock:
            begun, page = self._pages.get(key) or (0, "")
            if begun >= asked:
                return page
            begun = self._asked
            page = await render()
            self._pages.put(key, (begun, page))
            return page
