"""Follows what the fleet wants: each file that is not there is fetched in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Protocol

import structlog

from iluvatar_pxe.assets.arriving import ArrivingSource
from iluvatar_pxe.assets.checking import Checking, is_pinned
from iluvatar_pxe.assets.index import Found, Index
from iluvatar_pxe.assets.job import FAILED, Job, Means
from iluvatar_pxe.assets.store import AssetStore, Mark
from iluvatar_pxe.assets.turns import Haste
from iluvatar_pxe.assets.wanted import WantedFile
from iluvatar_pxe.catalogue.coming import Coming, coming
from iluvatar_pxe.catalogue.download import Digest, Download, FirstUse, Unpack
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

BY_HAND = "copied by hand"
"""The source of a file that nobody downloaded, and that no pin is known for: it is served, and never overwritten."""
UNCHECKED = "not checked yet"
"""The source of a file that somebody put there for a pinned name, or of a downloaded one that was changed."""
PACKAGED = "the system's package"
SIZE_SECONDS = 20.0
"""How long whoever asks for a file that is not here yet waits for its publisher to tell its size."""
SETTLE_SECONDS = 5.0
"""How long nobody must have written to such a file before it is checked."""
_RETRY_SECONDS = 300.0
"""After that a check is tried again that came to no end, if nothing changes before."""

_IMPORT = "bring them by: iluvatar-pxe assets import PATH"

_log = structlog.get_logger()


class Wants(Protocol):
    """What the applied commit wants."""

    @property
    def downloads(self) -> tuple[Download, ...]: ...


class Fetcher:
    """Gets what the applied commit wants, as ``means`` let it."""

    def __init__(
        self,
        store: AssetStore,
        index: Index,
        wants: Wants,
        means: Means,
        *,
        signals: Collection[Changed],
        fetch: bool,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        """``signals`` are told when other files are wanted. With ``fetch`` false only what ``fetch()`` names is fetched."""
        self._checking = Checking(index, settle)
        self.wanted: dict[str, WantedFile] = {}
        """By name."""
        self.begun = asyncio.Event()
        """Set when work for a file can begin, and has begun for what is missing."""
        self._store = store
        self._index = index
        self._wants = wants
        self._means = means
        self._fetches = fetch
        self._needed: AbstractSet[str] | None = None
        """The downloads whose beginnings were kept at the last look."""
        self._asked: set[str] = set()
        self._stirred = Changed()
        store.guard(self._may_serve)
        self._signals = (*signals, store.changed, self._stirred)
        self._coming: tuple[tuple[Download, ...], Coming] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._missing = Problem(lambda why: _log.warning("assets.missing", why=why))
        self._waiting = Problem(lambda why: _log.warning("assets.missing", why=why), once=True)

    @property
    def progress(self) -> Mapping[str, Progress]:
        """The state of each wanted download by its name."""
        return {name: one.told for name, one in self.wanted.items()}

    @property
    def coming(self) -> Coming:
        """The wanted assets that are not here yet, and the state of their downloads, also before it was looked for them."""
        downloads = self._wants.downloads
        if self._coming is None or self._coming[0] is not downloads:
            unseen = Progress(state=State.QUEUED if self._fetches else State.MISSING)
            known = self.progress
            states = {one.name: known.get(one.name, unseen) for one in downloads}
            self._coming = downloads, coming(downloads, states)
        return self._coming[1]

    async def run(self) -> None:
        """Fetch what is wanted, until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            with Subscription(*self._signals) as stirred:
                while True:
                    await stirred.wait()
                    await self.look()
                    self.begun.set()

    def fetch(self, names: Collection[str]) -> None:
        """Fetch these now, also where fetching is switched off."""
        for name in names:
            if one := self.wanted.get(name):
                self._asked.add(name)
                if one.job:
                    one.job.failures = 0
                    one.job.hurry(Haste.ASKED)
                elif one.work and one.progress.state is State.WAITING:  # for another check
                    one.work.cancel()
                if one.progress.state in {State.MISSING, State.WAITING}:
                    self.set(one, replace(one.progress, state=State.QUEUED))
        self._stirred.tell()

    def verify(self, one: WantedFile) -> None:
        """Read a file that is there again."""
        work = partial(self.judged, one, partial(self._verify, one))
        self.begin(one, Progress(state=State.VERIFYING), work)

    def begin(
        self,
        one: WantedFile,
        progress: Progress,
        work: Callable[[], Awaitable[object]],
        job: Job | None = None,
    ) -> None:
        """Do something for a file, and then look at it anew; ``job`` is given where that fetches it."""
        self.set(one, progress)
        if self._group:  # otherwise it begins with ``run``
            one.begin(self._group, work, job).add_done_callback(lambda task: self._ended(one, task))

    def set(self, one: WantedFile, progress: Progress) -> None:
        """Take in how far a file is."""
        one.progress = progress
        if progress.state is State.LOADING:
            one.source = f"peer {progress.peer}" if progress.peer else one.download.urls[0]
        self._coming = None
        if progress.state is State.WAITING and one.job and one.job.failures and not one.job.needs_room:
            self._tell_of_waiting()

    async def arriving(self, asset: str) -> ArrivingSource | None:
        """Return a file that is being downloaded, to be passed on meanwhile; None where none of that name is."""
        try:
            async with asyncio.timeout(SIZE_SECONDS):
                await self.begun.wait()
                return await self._arriving(asset)
        except TimeoutError:
            return None

    async def _arriving(self, asset: str) -> ArrivingSource | None:
        one = self._giver_of(asset)
        if one is None or one.job is None:
            return None
        one.job.ask()
        if one.download.unpack is not Unpack.NONE:
            return None
        arrival = one.job.arrival
        size = await arrival.sized()
        return None if size is None else ArrivingSource(arrival, size)

    def passing_on(self, digest: Digest) -> ArrivingSource | None:
        """Return a file that is being downloaded from its publisher by its checksum, of an archive or image all of it."""
        for one in self.wanted.values():
            expected = one.download.check
            known = expected if isinstance(expected, Digest) else self._index.listed_of(one.download)
            if one.job and known and (known.algorithm, known.value) == (digest.algorithm, digest.value):
                arrival, comes_from_peer = one.job.arrival, bool(one.progress.peer)
                if arrival.size is not None and not arrival.failure and not comes_from_peer:
                    return ArrivingSource(arrival, arrival.size)
        return None

    def hasten(self, asset: str) -> None:
        """Take in that a machine waits for a file: its download goes before others."""
        one = self._giver_of(asset)
        if one and one.job:
            one.job.hasten(Haste.AWAITED)

    def _giver_of(self, asset: str) -> WantedFile | None:
        return next((one for one in self.wanted.values() if one.download.gives(asset)), None)

    async def look(self) -> None:
        """Take in what is wanted, and what is there."""
        downloads = {one.name: one for one in self._wants.downloads}
        await self._withhold(downloads.values())
        await self._note_complete()
        await self._index.follow(frozenset(downloads))
        for name in self.wanted.keys() - downloads.keys():
            await self.wanted.pop(name).give_up()
            self._asked.discard(name)
        for download in downloads.values():
            await self._look_at(download)
        await self._tidy()
        self._coming = None
        self._tell_of_missing()
        await self._note_complete()

    async def _tidy(self) -> None:
        """Keep the beginnings of what is not here yet, and of what the commit before wants; nobody needs others."""
        absent = {name for name, one in self.wanted.items() if one.progress.state is not State.READY}
        if (needed := absent | (self._index.before - self.wanted.keys())) != self._needed:
            self._needed = needed
            await self._means.placing.tidy(needed)

    async def _withhold(self, downloads: Collection[Download]) -> None:
        """Have nothing served that contradicts what is pinned now, though it was right before, or that was changed."""
        wrong = await asyncio.to_thread(self._index.contradicting, downloads)
        names = wrong | await asyncio.to_thread(self._unchecked, downloads)
        for name in sorted(wrong - self._store.withheld):
            _log.warning(
                "asset.withheld", name=name, why="another checksum is pinned now, so it is not served"
            )
        self._store.withhold(names)

    def _unchecked(self, downloads: Collection[Download]) -> frozenset[str]:
        copied = self._store.is_copied
        return frozenset(name for one in downloads for name in self._checking.unchecked(one, copied))

    def _may_serve(self, asset: str, mark: Mark) -> bool:
        """Say whether a file is as a download put it there, or no wanted download has put one there."""
        records = (self._index.records.get(name) for name in self.wanted)
        is_given = any(record and asset in record.gives for record in records)
        return not is_given or mark in self._index.marks(asset)

    async def _note_complete(self) -> None:
        """Take in that all is there, also what arrived just before something else is wanted."""
        if self.wanted and all(one.progress.state is State.READY for one in self.wanted.values()):
            self._waiting.clear()
            await self._index.complete()

    async def _look_at(self, download: Download) -> None:
        one = self.wanted.setdefault(download.name, WantedFile(download))
        is_same, one.download = _is_same(one.download, download), download
        may_give_way = one.job and await self._source_of(download) in {BY_HAND, UNCHECKED}
        if one.work and is_same and not may_give_way:
            if one.job:
                one.job.download = download
            return
        await one.give_up()
        source = await self._source_of(download)
        if one.work:  # begun meanwhile
            return
        one.source = source
        if source == UNCHECKED:
            changed = await asyncio.to_thread(self._unchecked, [download])
            self._store.withhold(self._store.withheld | changed)
            _log.warning("asset.changed", name=download.name, why="somebody put it there; it is checked")
            self.begin(one, Progress(state=State.VERIFYING), partial(self._check, one))
        elif source:
            await self._is_there(one)
        elif self._fetches or download.name in self._asked:
            self._start(one)
        else:
            self.set(one, Progress(state=State.MISSING))

    async def _source_of(self, download: Download) -> str:
        """Return where the files of a download came from; empty if they are not there, or not those that are wanted."""
        if download.name in self._index.verified:
            return ""
        record = self._index.records.get(download.name)
        if record is None:
            return await asyncio.to_thread(self._foreign_source, download)
        found = await asyncio.to_thread(self._index.found, record)
        if found is Found.REPLACED:
            return UNCHECKED
        return record.source if found is Found.AS_GIVEN and record.satisfies(download) else ""

    def _foreign_source(self, download: Download) -> str:
        """Return who else has put the files of a download there, if somebody did."""
        ready = frozenset(filter(download.gives, self._store.listed))
        is_whole = bool(ready) if download.unpack is Unpack.PI_IMAGE else ready >= frozenset(download.assets)
        if not is_whole or any(map(self._index.is_own, ready)):
            return ""
        if not any(map(self._store.is_copied, ready)):
            return PACKAGED
        return UNCHECKED if is_pinned(download) else BY_HAND

    async def _is_there(self, one: WantedFile) -> None:
        name, check = one.download.name, one.download.check
        record = self._index.records.get(name) if one.source not in {BY_HAND, PACKAGED} else None
        size = record.size if record else None
        self.set(one, Progress(state=State.READY, done=size or 0, size=size))
        self._asked.discard(name)
        if record and not record.pinned and self._means.pins.keeps(name, record.sha256):
            await self._index.put(name, record.model_copy(update={"pinned": True}))
        elif record and isinstance(check, FirstUse):
            self._means.pins.remember(name, record.sha256, record.size)

    async def _check(self, one: WantedFile) -> None:
        """Check what somebody put there or changed, once that is done; try later if it cannot be checked."""
        before = await self._checking.settled(one.download)
        if not await self.judged(one, partial(self._verify, one)):
            self.set(one, Progress(state=State.WAITING, trouble=one.fault))
            await self._checking.stirred(one.download, before, _RETRY_SECONDS)

    async def _verify(self, one: WantedFile) -> None:
        """Check a file; what is wrong with it is logged, and kept in ``fault``. Raises AssetError if nobody can tell."""
        one.fault = await self._checking.check(one.download, partial(self._read, one))
        if one.fault:
            _log.error("asset.fault", name=one.download.name, why=one.fault)
            await self._store.refresh()

    async def judged(self, one: WantedFile, work: Callable[[], Awaitable[None]]) -> bool:
        """Do it, and keep why it came to no end in ``fault``; say whether it did come to an end."""
        one.fault, name = "", one.download.name
        try:
            await work()
        except AssetError as error:
            one.fault = str(error)
            _log.error("asset.fault", name=name, why=one.fault)
        except Exception as error:  # noqa: BLE001 - the last resort: one file must not end the daemon
            one.fault = f"{name}: {FAILED}"
            complain("asset.failed", logging.ERROR, name=name, error=repr(error))
        else:
            return True
        return False

    def _read(self, one: WantedFile, done: int, size: int | None) -> None:
        self.set(one, Progress(state=State.VERIFYING, done=done, size=size))

    def _start(self, one: WantedFile) -> None:
        haste = Haste.ASKED if one.download.name in self._asked else Haste.NONE
        job = Job(one.download, self._means, lambda: self.set(one, job.progress), haste)
        one.source = one.download.urls[0]
        self.begin(one, job.progress, job.run, job)

    def _ended(self, one: WantedFile, task: asyncio.Task[None]) -> None:
        if one.work is task:
            one.job = one.work = None
        self._stirred.tell()

    def _tell_of_missing(self) -> None:
        """Say in one line what is missing where nothing fetches it."""
        missing = [name for name, one in self.wanted.items() if one.progress.state is State.MISSING]
        why = f"and [assets] fetch is false; {_IMPORT}"
        self._missing.set(f"{_named(missing)} missing, {why}" if missing else None)

    def _tell_of_waiting(self) -> None:
        """Say in one line, once, that a download failed while no other one brings anything: this host may be offline."""
        absent = {
            name: one.progress for name, one in self.wanted.items() if one.progress.state is not State.READY
        }
        if not any(progress.state is State.LOADING and progress.done for progress in absent.values()):
            why = "and nothing can be downloaded; it is tried again, and without internet"
            self._waiting.set(f"{_named(list(absent))} missing, {why} {_IMPORT}")


def _named(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more are" if names[1:] else f"{names[0]} is"


def _is_same(old: Download, new: Download) -> bool:
    """Say whether two downloads are of the same file, whoever wants it.

    One whose checksum is pinned meanwhile goes on: it is compared with the pin when it is there.
    """
    is_pinned = isinstance(new.check, Digest) and not isinstance(old.check, Digest)
    pinned = replace(old, check=new.check, size=new.size) if is_pinned else old
    return replace(pinned, wanted_by=()) == replace(new, wanted_by=())
