"""One thread for all that the event loop has done in threads, so that a test knows how far that is."""

import asyncio
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TypeVar

from support.waiting import PATIENCE

T = TypeVar("T")


class OneThread:
    """From now on, the only thread of the running event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(self._pool)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Have all that is begun meanwhile wait for the end of the block."""
        lets_go = Event()
        self._pool.submit(lets_go.wait, PATIENCE)
        try:
            yield
        finally:
            lets_go.set()

    def catch_up(self) -> None:
        """Wait until the thread has done all; the event loop stands still, and has heard of nothing yet."""
        self._pool.submit(int).result(PATIENCE)


async def begin(work: Awaitable[T]) -> asyncio.Task[T]:
    """Return a task that has come as far as it comes without waiting."""
    task = asyncio.ensure_future(_of(work))
    await asyncio.sleep(0)
    return task


async def cancel(task: asyncio.Task[T]) -> None:
    """Cancel a task, and see that it ends so."""
    task.cancel()
    await asyncio.wait([task], timeout=PATIENCE)
    assert task.cancelled()


async def _of(work: Awaitable[T]) -> T:
    return await work


def descriptors_of(path: Path) -> int:
    """Return how often this process has a file open."""
    there = path.stat()
    found = (one.stat() for one in Path("/proc/self/fd").iterdir() if one.exists())
    return sum((one.st_dev, one.st_ino) == (there.st_dev, there.st_ino) for one in found)
