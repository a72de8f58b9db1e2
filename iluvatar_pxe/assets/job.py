"""Gets one wanted download: has it downloaded, puts it in place, and has it pinned. Tries until it is there."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
from msgspec import Struct

from iluvatar_pxe.assets.arriving import Arrival
from iluvatar_pxe.assets.download.download import Got, Report
from iluvatar_pxe.assets.download.part import part_of
from iluvatar_pxe.assets.placing import Placing
from iluvatar_pxe.assets.turns import Haste, Turn, Turns
from iluvatar_pxe.catalogue.download import Download, FirstUse, Unpack
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.errors import AssetError, DiskError
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 900.0
"""Seconds until the second attempt, and most between two; each pause is twice the one before."""
FAILED = "this server failed on that; see its log"
UNWANTED = "nobody wants it any more"
ASKING_PAUSE = 60.0
"""Seconds after a failed attempt in which clients that ask for the file do not begin another one."""

_log = structlog.get_logger()


class Get(Protocol):
    """Downloads one file into a directory, and verifies it; raises AssetError."""

    async def __call__(self, download: Download, place: Path, report: Report, turn: Turn) -> Got: ...


class Pins(Protocol):
    """Keeps the checksums of first downloads."""

    def check(self, name: str, sha256: str) -> None:
        """Raise AssetError if another checksum is pinned for a download."""
        ...

    def keeps(self, name: str, sha256: str) -> bool:
        """Say whether this checksum of a download was pinned, and that is known to all."""
        ...

    async def pin(self, name: str, sha256: str, size: int) -> None:
        """Pin the checksum of a download that is in place; raises AssetError if another one is pinned."""
        ...

    def remember(self, name: str, sha256: str, size: int) -> None:
        """Pin that of a download that is here already, as soon as that can be done."""
        ...


class Means(Struct, frozen=True, kw_only=True):
    """What jobs work with."""

    get: Get
    placing: Placing
    pins: Pins
    turns: Turns


class Job:
    """Goes on until the file is in place; ``changed`` is called whenever ``progress`` is another one."""

    def __init__(
        self, download: Download, means: Means, changed: Callable[[], None], haste: Haste = Haste.NONE
    ) -> None:
        self.download = download
        """What the next attempt is for: its checksum may be pinned meanwhile."""
        self.progress = Progress(state=State.QUEUED)
        self.needs_room = False
        """This host's disk kept the last attempt from success."""
        self.failures = 0
        """How often it could not be had since it is wanted, or since somebody wanted it at once."""
        self.arrival = self._arrival(means)
        """The present attempt, or the next one."""
        self._means = means
        self._turn = means.turns.turn(haste)
        self._changed = changed
        self._now = asyncio.Event()
        self._failed_at = float("-inf")
        self._trouble = Problem(lambda why: _log.warning("asset.trouble", name=download.name, why=why))

    @property
    def before(self) -> int:
        """How many files come before it, while it is queued."""
        return self._turn.before

    def hurry(self, haste: Haste) -> None:
        """Have the next attempt begin now."""
        self.hasten(haste)
        self._now.set()

    def hasten(self, haste: Haste) -> None:
        """Let it go before others from now on."""
        self._turn.hasten(haste)

    def ask(self) -> None:
        """Hurry for whoever waits, unless an attempt failed lately: he does not know that, and asks again and again."""
        self.hasten(Haste.AWAITED)
        if time.monotonic() - self._failed_at >= ASKING_PAUSE:
            self.hurry(Haste.AWAITED)

    async def run(self) -> None:
        """Try again and again, after longer and longer pauses."""
        _log.info("asset.wanted", name=self.download.name, by=", ".join(self.download.wanted_by))
        while not await self._succeeds():
            await self._pause(min(FIRST_PAUSE * 2 ** min(self.failures - 1, 10), LONGEST_PAUSE))

    async def _succeeds(self) -> bool:
        """Make one attempt when its turn comes."""
        self._set(replace(self.progress, state=State.QUEUED))
        try:
            await self._turn.begin()
            await self._attempt()
        except AssetError as error:
            self.needs_room = isinstance(error, DiskError)
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - the last resort: one file must not end the daemon
            complain("asset.failed", logging.ERROR, name=self.download.name, error=repr(error))
            self._fail(f"{self.download.name}: {FAILED}")
        else:
            return True
        finally:
            self._turn.end()
            self.arrival.fail(UNWANTED)
        return False

    def _fail(self, why: str) -> None:
        self.arrival.fail(why)
        self._trouble.set(why)
        self.failures += 1
        self._failed_at = time.monotonic()
        self._set(replace(self.progress, state=State.WAITING, rate=0.0, trouble=why))

    async def _attempt(self) -> None:
        if self.arrival.is_over:
            self.arrival = self._arrival(self._means)
        started, download = time.monotonic(), self.download
        got = await self._means.placing.left_over(download) or await self._download(download)
        if download.unpack is not Unpack.NONE:
            self.arrival.verify(got.size, got.path)
        path = await self._put(download, got)
        if download.unpack is Unpack.NONE:
            self.arrival.verify(got.size, path)
        self._set(Progress(state=State.READY, done=got.size, size=got.size))
        seconds = round(time.monotonic() - started, 1)
        _log.info("asset.ready", name=download.name, bytes=got.size, seconds=seconds, source=got.source)

    async def _put(self, download: Download, got: Got) -> Path:
        """Put it in place, and then have it pinned: what cannot be unpacked is pinned for nobody."""
        pins, is_first = self._means.pins, isinstance(download.check, FirstUse)
        if is_first:
            pins.check(download.name, got.sha256)
        path = await self._means.placing.put(download, got, self._unpacking)
        if is_first:
            await pins.pin(download.name, got.sha256, got.size)
        return path

    async def _download(self, download: Download) -> Got:
        place = self._means.placing.staging(download).parent
        try:
            await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise AssetError(f"{place}: cannot be made: {error.strerror}; make it writable") from error
        return await self._means.get(download, place, self._loading, self._turn)

    def _loading(self, progress: Progress) -> None:
        self.arrival.reach(progress.done, progress.size)
        if progress.trouble:
            self._trouble.set(progress.trouble)
        self._set(progress)

    def _unpacking(self, done: int, size: int | None) -> None:
        self._set(Progress(state=State.UNPACKING, done=done, size=size))

    def _set(self, progress: Progress) -> None:
        if progress != self.progress:
            self.progress = progress
            self._changed()

    def _arrival(self, means: Means) -> Arrival:
        return Arrival(self.download.name, part_of(means.placing.staging(self.download)))

    async def _pause(self, seconds: float) -> None:
        """Wait until the next attempt is due, or somebody wants it now."""
        self._now.clear()
        try:
            async with asyncio.timeout(seconds * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
                await self._now.wait()
        except TimeoutError:
            pass
