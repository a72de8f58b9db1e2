"""Puts a verified download in place: recorded first, so that what a crash leaves is never taken for somebody's copy."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from iluvatar_pxe.assets.download.download import Got
from iluvatar_pxe.assets.hidden import keep_beginnings, staging
from iluvatar_pxe.assets.index import Given, Index, Record, given_of
from iluvatar_pxe.assets.originals import Originals
from iluvatar_pxe.assets.space import FULL, lacking, no_space
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.catalogue.download import Digest, Download, Unpack
from iluvatar_pxe.errors import AssetError, DiskError, UnpackError
from iluvatar_pxe.host.background import background_thread
from iluvatar_pxe.host.durable import put_in_place
from iluvatar_pxe.host.threads import ended, to_the_end
from iluvatar_pxe.values import replace

_REPORT_SECONDS = 0.1
"""How often the event loop hears how far work is; the end is always told."""

Done = Callable[[int, int | None], None]
"""Hears how many bytes are done, and how many there are."""
Result = TypeVar("Result")


class Unpacker(Protocol):
    """Unpacks a file below the assets directory; blocks, raises AssetError."""

    def __call__(self, download: Download, file: Path, assets: Path, report: Done) -> None: ...


class Placing:
    """Puts files of one assets directory in place."""

    def __init__(self, store: AssetStore, index: Index, unpack: Unpacker, originals: Originals) -> None:
        self._store = store
        self._index = index
        self._unpack = unpack
        self._originals = originals

    def staging(self, download: Download) -> Path:
        """Return where a file is downloaded to, on the disk on which its place is."""
        return staging(self._index.directory / download.name)

    async def tidy(self, names: Collection[str]) -> None:
        """Remove the beginnings of all downloads but these, and originals that nobody wants."""
        await to_the_end(keep_beginnings, self._index.directory, names)
        await to_the_end(self._originals.tidy)

    async def left_over(self, download: Download) -> Got | None:
        """Return the file that was verified before and is to be put in place; None where there is none.

        A crash may have come in between; or it was unpacked, and what came of it is gone.
        """
        record = self._index.verified.get(download.name) or self._index.unpacked(download.name)
        if record is None or not record.satisfies(download):
            return None
        kept = self._originals.path(record.sha256)
        for path in (self.staging(download), self._index.directory / download.name, kept):
            with suppress(AssetError):
                if (await unhurried(partial(_given_of, path))).sha256 == record.sha256:
                    return Got(
                        path=path,
                        size=record.size,
                        sha256=record.sha256,
                        sha512=record.sha512,
                        source=record.source,
                    )
        return None

    async def put(self, download: Download, got: Got, report: Done) -> Path:
        """Put it in place and let it be served; return where it is. Raises AssetError.

        What cannot be unpacked is removed, unless its checksum is pinned: then its publisher has no other one.
        """
        record = record_of(download, got)
        await self._index.expect(download.name, record)
        if download.unpack is Unpack.NONE:
            path = await self._move(download, got, record)
        else:
            try:
                path = await self._take_apart(download, got, record, report)
            except UnpackError:
                if not isinstance(download.check, Digest):
                    await self._discard(download, got)
                raise
        self._store.withhold(self._store.withheld - self._index.records[download.name].gives.keys())
        with suppress(OSError):  # it is in use, or was not used
            await asyncio.to_thread(self.staging(download).parent.rmdir)
        await self._store.refresh()
        return path

    async def _move(self, download: Download, got: Got, record: Record) -> Path:
        path = self._index.directory / download.name
        given = await unhurried(partial(_place, got, path))
        await self._index.put(download.name, record.model_copy(update={"gives": {download.name: given}}))
        return path

    async def _take_apart(self, download: Download, got: Got, record: Record, report: Done) -> Path:
        directory = self._index.directory
        members = await asyncio.to_thread(self._members, download)
        wanted = replace(download, members=members)

        def work(report: Done) -> None:
            self._unpack(wanted, got.path, directory, report)

        await unhurried(work, report)
        names = await asyncio.to_thread(_names, wanted, directory)
        gives = {name: await unhurried(partial(_given_of, directory / name)) for name in names}
        original = await to_the_end(self._originals.keep, got)
        await self._index.put(download.name, record.model_copy(update={"gives": gives, "original": original}))
        return directory / download.folder

    async def _discard(self, download: Download, got: Got) -> None:
        await self._index.give_up(download.name)
        await to_the_end(got.path.unlink, missing_ok=True)

    def _members(self, download: Download) -> dict[str, str]:
        """Return an archive's members without those in whose places somebody put files; blocks."""
        return {
            member: asset
            for member, asset in download.members.items()
            if not self._store.is_copied(asset) or self._index.is_own(asset)
        }


async def unhurried(work: Callable[[Done], Result], report: Done | None = None) -> Result:
    """Do in the background what takes long; where this is cancelled, the work's next report ends it first."""
    loop, given_up = asyncio.get_running_loop(), threading.Event()
    next_at = 0.0

    def tell(done: int, size: int | None) -> None:
        if given_up.is_set():
            raise AssetError("was given up, since nobody wants it any more")
        nonlocal next_at
        if report and (done == size or time.monotonic() >= next_at):
            next_at = time.monotonic() + _REPORT_SECONDS
            loop.call_soon_threadsafe(report, done, size)

    with background_thread("assets") as thread:
        task = loop.run_in_executor(thread, work, tell)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            given_up.set()
            await ended(task)
            raise


def record_of(download: Download, got: Got) -> Record:
    """Return what is known of a download that was verified now, and gives nothing yet."""
    return Record(
        version=download.version,
        sha256=got.sha256,
        sha512=got.sha512,
        size=got.size,
        source=got.source,
        checked_at=datetime.now(UTC),
        wanted_by=download.wanted_by,
        withdrawn=download.withdrawn,
    )


def _given_of(path: Path, report: Done) -> Given:
    return given_of(path, report)


def _names(download: Download, directory: Path) -> list[str]:
    """Return the assets that an unpacked download gave."""
    if download.unpack is Unpack.ARCHIVE:
        return list(download.members.values())
    found = sorted((directory / download.folder).rglob("*"))
    return [str(path.relative_to(directory)) for path in found if path.is_file()]


def _place(got: Got, path: Path, report: Done) -> Given:
    """Put a file in place, also one from another disk, and return what is there now."""
    new = got.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if new.stat().st_dev != path.parent.stat().st_dev:
            new = _copied(new, staging(path))
        given = _same(new, got, report)
        put_in_place(new, path)
    except OSError as error:
        if error.errno in FULL:
            lacks = lacking(got.size, shutil.disk_usage(path.parent).free)
            raise DiskError(f"{path}: {no_space(path.parent, lacks)}") from error
        raise AssetError(f"{path}: cannot be put in place: {error.strerror}; make it writable") from error
    return given


def _same(path: Path, got: Got, report: Done) -> Given:
    """Return what a file is now; raises AssetError if it is not any more what was verified."""
    given = given_of(path, report)
    if given.sha256 != got.sha256:
        raise AssetError(f"{path}: was changed after it was verified; it is fetched again")
    return given


def _copied(file: Path, copy: Path) -> Path:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, copy)
    file.unlink()
    return copy
