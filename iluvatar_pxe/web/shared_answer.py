"""One answer for all who ask, for what takes long to find out: it is asked for as often as somebody looks, and no oftener."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Generic, TypeVar

from msgspec import Struct

from iluvatar_pxe.errors import IluvatarError

T = TypeVar("T")


class Told(Struct, Generic[T], frozen=True):
    """An answer, or in ``problem`` why there is none."""

    at: datetime
    answer: T | None = None
    problem: str = ""


class SharedAnswer(Generic[T]):
    """Belongs to one event loop; asks in ``run``, and only while somebody wants to know."""

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        """``ask`` may raise IluvatarError; between two of its calls are at least so many seconds."""
        self._ask = ask
        self._seconds = seconds
        self._wanted = asyncio.Event()
        self._answered = asyncio.Event()
        self._last: Told[T] | None = None

    async def get(self, patience: float) -> Told[T] | None:
        """Return the last answer, which may be as old as nobody wanted a newer one; None where there is none yet.

        If a newer one is being asked for, it is waited for at most ``patience`` seconds.
        """
        self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._answered.wait()
        return self._last

    async def run(self) -> None:
        """Ask whenever somebody wants to know, until cancelled."""
        while True:
            await self._wanted.wait()
            self._last = await self._asked()
            self._answered.set()
            await asyncio.sleep(self._seconds)
            self._wanted.clear()
            self._answered.clear()

    async def _asked(self) -> Told[T]:
        try:
            answer = await self._ask()
        except IluvatarError as error:
            return Told(datetime.now(UTC), problem=str(error))
        return Told(datetime.now(UTC), answer)
