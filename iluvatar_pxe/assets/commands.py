"""What people ask for about boot files: what there is, and to fetch, verify, import and remove files."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from iluvatar_pxe.assets.copies import check_copy
from iluvatar_pxe.assets.fetcher import BY_HAND, PACKAGED, UNCHECKED, Fetcher
from iluvatar_pxe.assets.hidden import beginnings, remove_aside, remove_beginning, set_aside
from iluvatar_pxe.assets.index import Index, Record
from iluvatar_pxe.assets.job import Pins
from iluvatar_pxe.assets.leftovers import Sizes, leftovers_of
from iluvatar_pxe.assets.placing import Done, Placing, unhurried
from iluvatar_pxe.assets.status import AssetStatus, Leftover, Part
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.assets.wanted import WantedFile
from iluvatar_pxe.catalogue.download import FirstUse
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.host.threads import to_the_end

IMPORTED = "imported"

_log = structlog.get_logger()


class AssetCommands:
    """Carries commands out on the files of one fetcher."""

    def __init__(
        self,
        fetcher: Fetcher,
        store: AssetStore,
        index: Index,
        placing: Placing,
        pins: Pins,
        unresolved: Callable[[], Mapping[str, Progress]] = dict,
    ) -> None:
        """``unresolved`` returns the entries whose version ``stable`` is not chosen yet, and how far that is."""
        self._fetcher = fetcher
        self._store = store
        self._index = index
        self._placing = placing
        self._pins = pins
        self._unresolved = unresolved

    async def begun(self) -> None:
        """Return as soon as work for a file can begin."""
        await self._fetcher.begun.wait()

    def files(self) -> Sequence[AssetStatus]:
        """Return what the applied commit wants, by name."""
        return [self._status(one) for _, one in sorted(self._fetcher.wanted.items())]

    def unresolved(self) -> Mapping[str, Progress]:
        """Return the entries of the catalogue whose version ``stable`` is not chosen yet."""
        return self._unresolved()

    def fetch(self, names: Collection[str]) -> None:
        """Fetch these now."""
        self._fetcher.fetch(names)

    def verify(self, names: Collection[str]) -> None:
        """Read these again; what is damaged is removed, and fetched again."""
        for name in names:
            one = self._fetcher.wanted.get(name)
            is_there = one and one.progress.state is State.READY and one.source != PACKAGED
            if one and (is_there or one.source == UNCHECKED):
                self._fetcher.verify(one)

    def take(self, name: str, file: Path, *, trust: bool) -> None:
        """Verify a file that lies below the assets directory, and put it into place."""
        one = self._fetcher.wanted[name]
        work = partial(self._fetcher.judged, one, partial(self._take, one, file, trust=trust))
        self._fetcher.begin(one, Progress(state=State.VERIFYING), work)

    async def leftovers(self) -> Sequence[Leftover]:
        """Return what the applied commit does not want, by name."""
        return leftovers_of(
            self._index.records,
            frozenset(self._fetcher.wanted),
            self._index.before,
            await asyncio.to_thread(self._sizes),
        )

    async def remove(self, leftovers: Collection[Leftover]) -> None:
        """Remove these leftovers, but none that are kept."""
        gone = [one for one in leftovers if not one.kept_for]
        for one in gone:
            await to_the_end(self._remove, one)
        await self._index.drop([one.name for one in gone if one.part is Part.WHOLE])
        await self._store.refresh()
        _log.info("assets.removed", names=", ".join(one.name for one in gone), files=len(gone))

    def _remove(self, leftover: Leftover) -> None:
        """Remove a leftover, but not its record; blocks, raises AssetError."""
        match leftover.part:
            case Part.WHOLE:
                self._index.remove(self._index.records[leftover.name])
            case Part.BEGUN:
                remove_beginning(self._index.directory, leftover.name)
            case Part.ASIDE:
                remove_aside(self._index.directory, leftover.name)

    def _sizes(self) -> Sizes:
        """Look for files that no record has; blocks."""
        directory = self._index.directory
        return Sizes(begun=beginnings(directory), aside=set_aside(directory), copied=self._copied())

    def _status(self, one: WantedFile) -> AssetStatus:
        record = self._record(one)
        return AssetStatus(
            download=one.download,
            progress=one.told,
            source=one.source,
            checked_at=record.checked_at if record else None,
            fault=one.fault,
            failures=one.job.failures if one.job else int(one.progress.state is State.WAITING),
        )

    def _record(self, one: WantedFile) -> Record | None:
        """Return what is known of the file that is there now."""
        return None if one.source in {BY_HAND, UNCHECKED} else self._index.records.get(one.download.name)

    async def _take(self, one: WantedFile, file: Path, *, trust: bool) -> None:
        download = one.download
        work = partial(check_copy, download, file, trust=trust, source=IMPORTED)
        is_first = isinstance(download.check, FirstUse)
        try:
            got = await unhurried(lambda report: work(report=report), self._read(one))
            if is_first:
                self._pins.check(download.name, got.sha256)
            await self._placing.put(download, got, self._unpacking(one))
            _log.info("asset.ready", name=download.name, bytes=got.size, source=IMPORTED)
            if is_first:  # at last: the fetcher then looks at it anew
                await self._pins.pin(download.name, got.sha256, got.size)
        finally:
            await to_the_end(file.unlink, missing_ok=True)

    def _read(self, one: WantedFile) -> Done:
        return lambda done, size: self._fetcher.set(
            one, Progress(state=State.VERIFYING, done=done, size=size)
        )

    def _unpacking(self, one: WantedFile) -> Done:
        return lambda done, size: self._fetcher.set(
            one, Progress(state=State.UNPACKING, done=done, size=size)
        )

    def _copied(self) -> dict[str, int]:
        """Return the sizes of files that nobody downloaded, and that nothing wants; blocks."""
        downloads = [one.download for one in self._fetcher.wanted.values()]
        return {
            name: self._store.size_of(name) or 0
            for name in self._store.ready
            if self._store.is_copied(name)
            and not self._index.is_own(name)
            and not any(one.gives(name) for one in downloads)
        }
