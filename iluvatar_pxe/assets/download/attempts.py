"""Tries the addresses of one file in their order, and each as often as it makes sense."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from iluvatar_pxe.assets.download.client import Timing
from iluvatar_pxe.assets.download.patience import Patience
from iluvatar_pxe.errors import DiskError, DownloadError, SumsError, UnavailableError

Result = TypeVar("Result")

_log = structlog.get_logger()


def _nothing() -> int:
    return 0


def _silently(_: UnavailableError) -> None:
    """Tell nobody."""


async def try_each(
    addresses: Sequence[str],
    attempt: Callable[[str], Awaitable[Result]],
    timing: Timing,
    *,
    gained: Callable[[], int] = _nothing,
    paused: Callable[[UnavailableError], None] = _silently,
) -> Result:
    """Return what the first attempt brings that succeeds; raises the DownloadError or SumsError of the last address.

    ``gained`` says how many bytes the last attempt added to those before; ``paused`` hears why there is a pause now.
    """
    *others, last = addresses
    for address in others:
        patience = Patience(timing.one_of_several, timing.building)
        try:
            return await _try_one(address, attempt, patience, gained, paused)
        except DiskError:
            raise
        except (DownloadError, SumsError) as error:
            _log.warning("download.next_address", problem=str(error))
    return await _try_one(last, attempt, Patience(timing.usual, timing.building), gained, paused)


async def _try_one(
    address: str,
    attempt: Callable[[str], Awaitable[Result]],
    patience: Patience,
    gained: Callable[[], int],
    paused: Callable[[UnavailableError], None],
) -> Result:
    while True:
        try:
            return await attempt(address)
        except UnavailableError as error:
            pause = patience.pause(error, gained())
            if pause is None:
                raise
            _log.debug("download.again", why=str(error), seconds=pause)
            paused(error)
        await asyncio.sleep(pause)
