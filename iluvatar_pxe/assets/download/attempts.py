"""Tries the addresses of one file in their order, and each as often as it makes sense."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from iluvatar_pxe.assets.download.client import Timing
from iluvatar_pxe.assets.download.patience import Patience, Pauses
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.errors import DiskError, DownloadError, SumsError, UnavailableError

Result = TypeVar("Result")
Fault = DownloadError | SumsError
Wait = Callable[[float], Awaitable[None]]

_log = structlog.get_logger()


def _nothing() -> int:
    return 0


def _logged(trouble: str, state: State) -> None:
    if state is State.LOADING:
        _log.warning("download.next_address", problem=trouble)


async def try_each(
    what: str,
    addresses: Sequence[str],
    attempt: Callable[[str], Awaitable[Result]],
    timing: Timing,
    *,
    gained: Callable[[], int] = _nothing,
    heard: Callable[[str, State], None] = _logged,
    wait: Wait = asyncio.sleep,
) -> Result:
    """Return what the first attempt brings that succeeds; raises DownloadError or SumsError with all addresses' faults.

    ``gained`` says how many bytes the last attempt added to those before. ``heard`` is told the faults so far and what
    happens now: a pause (WAITING, or BUILDING without new faults), or the next address (LOADING).
    ``wait`` returns after so many seconds.
    """
    return await _Tries(what, attempt, gained, heard, wait).run(addresses, timing)


class _Tries(Generic[Result]):
    """``faults`` are those of the addresses that were given up."""

    def __init__(
        self,
        what: str,
        attempt: Callable[[str], Awaitable[Result]],
        gained: Callable[[], int],
        heard: Callable[[str, State], None],
        wait: Wait,
    ) -> None:
        self._what = what
        self._attempt = attempt
        self._gained = gained
        self._heard = heard
        self._wait = wait
        self._faults: list[Fault] = []

    async def run(self, addresses: Sequence[str], timing: Timing) -> Result:
        *others, last = addresses
        for address in others:
            try:
                return await self._ask(address, timing.one_of_several, timing.building)
            except DiskError:
                raise
            except (DownloadError, SumsError) as error:
                self._faults.append(error)
                self._heard(str(together(self._what, self._faults)), State.LOADING)
        try:
            return await self._ask(last, timing.usual, timing.building)
        except DiskError:
            raise
        except (DownloadError, SumsError) as error:
            raise together(self._what, [*self._faults, error]) from error

    async def _ask(self, address: str, usual: Pauses, building: Pauses) -> Result:
        patience = Patience(usual, building)
        while True:
            try:
                return await self._attempt(address)
            except UnavailableError as error:
                pause = patience.pause(error, self._gained())
                if pause is None:
                    raise
                _log.debug("download.again", why=str(error), seconds=pause)
                self._pause(error)
            await self._wait(pause)

    def _pause(self, error: UnavailableError) -> None:
        faults = self._faults if error.is_building else [*self._faults, error]
        trouble = str(together(self._what, faults)) if faults else ""
        self._heard(trouble, State.BUILDING if error.is_building else State.WAITING)


def together(what: str, faults: Sequence[Fault]) -> Fault:
    """Return the faults of several addresses as one, in one line: first what asking again does not mend."""
    first, *others = sorted(faults, key=lambda fault: isinstance(fault, UnavailableError))
    texts = dict.fromkeys(str(fault).removeprefix(f"{what}: ") for fault in others)
    texts.pop(str(first).removeprefix(f"{what}: "), None)
    return type(first)(". Another address: ".join((str(first), *texts))) if texts else first
