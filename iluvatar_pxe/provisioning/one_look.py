"""Looks at what takes long one at a time, however many ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OneLook(Generic[T]):
    """Who asks during a look shares the next one with all who asked meanwhile; so an answer is never older than its question."""

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        """``look`` may raise; who shares its look then looks again."""
        self._look = look
        self._turn = asyncio.Lock()
        self._begun = 0
        self._found: tuple[int, T] | None = None

    async def result(self) -> T:
        """Return what a look finds that begins now or later; raises what it raises."""
        wanted = self._begun + 1
        async with self._turn:
            if self._found and self._found[0] >= wanted:
                return self._found[1]
            self._begun += 1
            number = self._begun
            found = await self._look()
            self._found = number, found
            return found
