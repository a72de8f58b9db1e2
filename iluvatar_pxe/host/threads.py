"""Work in threads, where whoever waits for it may be cancelled: no thread can be stopped, so it goes on all the same."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def begun(work: Callable[[], T]) -> asyncio.Future[T]:
    """Have a thread do something. Waited for by ``asyncio.shield`` it is done even if that is cancelled before it begins."""
    return asyncio.get_running_loop().run_in_executor(None, work)


async def finished(work: asyncio.Future[T]) -> T:
    """Wait for a thread to the end, also where this is cancelled: nothing that comes later overtakes its work."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await ended(work)
        raise


async def to_the_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Have a thread change something, and wait for it also where this is cancelled."""
    return await finished(begun(partial(work, *args, **kwargs)))


async def ended(work: asyncio.Future[T]) -> None:
    """Wait until nothing is done any more, however often this is cancelled; what came of it is of no interest."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    if not work.cancelled():
        work.exception()  # otherwise asyncio logs that nobody has looked at it
    if cancelled:
        raise asyncio.CancelledError


async def handed(work: Callable[[], T], take_back: Callable[[T], object]) -> T:
    """Return what a thread opens or makes. Where this is cancelled, ``take_back`` is called with it once it is there.

    That happens in the event loop, so it must not wait for anything.
    """
    future = begun(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(partial(_take_back, take_back))
        raise


def _take_back(take_back: Callable[[T], object], future: asyncio.Future[T]) -> None:
    if not future.cancelled() and future.exception() is None:
        take_back(future.result())
