"""Reads what is in place again: it has to be what was downloaded, or what is pinned. What is not goes out of the way."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
from msgspec import Struct

from iluvatar_pxe.assets.copies import check_copy
from iluvatar_pxe.assets.index import ADOPTED, ORIGINALS, Found, Given, Index, Record, given_of
from iluvatar_pxe.assets.placing import Done, record_of, unhurried
from iluvatar_pxe.catalogue.download import Digest, Download, Unpack
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.host.threads import to_the_end

_AT_ONCE = 2
"""Files that are read at the same time."""

Marks = list[tuple[int, int]]
"""Sizes and times of files."""

_log = structlog.get_logger()


class _Verdict(Struct, frozen=True):
    """``record`` is what is known of the files now, None where one is not what it should be; ``wrong`` are those.

    ``fault`` is what is wrong with the original alone, which nothing is fetched for.
    """

    record: Record | None = None
    wrong: tuple[str, ...] = ()
    fault: str = ""


def is_pinned(download: Download) -> bool:
    """Say whether it is known which checksum the asset must have, whoever brings it."""
    return download.unpack is Unpack.NONE and isinstance(download.check, Digest)


class Checking:
    """Checks the files of one assets directory."""

    def __init__(self, index: Index, settle: float) -> None:
        """``settle``: for so many seconds nobody must have written to a file before it is read."""
        self._index = index
        self._settle = settle
        self._turn = asyncio.Semaphore(_AT_ONCE)

    def unchecked(self, download: Download, copied: Callable[[str], bool]) -> Iterator[str]:
        """Return the assets that were changed, or put there for a pinned name by somebody; blocks.

        ``copied`` says whether a file is there that is not the system's.
        """
        record = self._index.records.get(download.name)
        if record:
            yield from (
                asset
                for asset, given in record.gives.items()
                if self._index.found_of(asset, given) is Found.REPLACED
            )
        elif is_pinned(download) and copied(download.name) and not self._index.is_own(download.name):
            yield download.name

    async def settled(self, download: Download) -> Marks:
        """Wait until nobody writes to the files any more, which may take minutes, and return what they are by then."""
        while True:
            marks = await asyncio.to_thread(self._marks, download)
            if (rest := self._unrest(marks)) <= 0:
                return marks
            await asyncio.sleep(rest)

    async def stirred(self, download: Download, before: Marks, seconds: float) -> None:
        """Wait until other files are there than ``before``, but ``seconds`` at most."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(self._settle)
            if await asyncio.to_thread(self._marks, download) != before:
                break

    async def check(self, download: Download, report: Done) -> str:
        """Read the files; return in one line what is wrong with them, which is then out of the way, or nothing.

        Raises AssetError if that cannot be said, or if they stay where they are.
        """
        async with self._turn:
            verdict = await unhurried(partial(self._judge, download), report)
        if verdict.record:
            await self._index.put(download.name, verdict.record)
            return verdict.fault
        fate = await to_the_end(self._clear, download, verdict.wrong)
        if kept := self._index.unpacked(download.name):  # it is unpacked again
            await self._index.expect(download.name, kept)
        await self._index.drop([download.name])
        return f"{verdict.wrong[0]}: has another checksum than {_meant(download)}, and {fate}"

    def _judge(self, download: Download, report: Done) -> _Verdict:
        record = self._index.records.get(download.name)
        if is_pinned(download):
            return self._by_pin(download, record, report)
        if record:
            return self._by_record(record, report)
        raise AssetError(
            f"{download.name}: was copied by hand, and no checksum of it is known; remove it to fetch it"
        )

    def _by_pin(self, download: Download, record: Record | None, report: Done) -> _Verdict:
        path = self._index.directory / download.name
        before = _mark(path)
        try:
            got = check_copy(download, path, report, trust=False, source=ADOPTED)
        except AssetError as error:
            if _mark(path) != before:
                raise AssetError(f"{path}: was changed while it was read; verify it again") from error
            return _Verdict(wrong=(download.name,))
        known = record if record and record.sha256 == got.sha256 else record_of(download, got)
        given = Given(size=before[0], modified=before[1], sha256=got.sha256)
        changes = {
            "version": download.version,
            "gives": {download.name: given},
            "checked_at": datetime.now(UTC),
        }
        return _Verdict(known.model_copy(update=changes))

    def _by_record(self, record: Record, report: Done) -> _Verdict:
        whole = sum(given.size for given in record.gives.values())
        now, wrong, done = dict(record.gives), [], 0

        def tell(read: int, _: int | None) -> None:
            report(done + read, whole)

        for asset, given in record.gives.items():
            if not self._is_of(asset, given):
                continue
            try:
                now[asset] = given_of(self._index.directory / asset, tell)
            except AssetError:
                wrong.append(asset)
            else:
                wrong += [asset] if now[asset].sha256 != given.sha256 else []
            done += given.size
        if wrong:
            return _Verdict(wrong=tuple(wrong))
        original, fault = self._original(record)
        checked = {"gives": now, "original": original, "checked_at": datetime.now(UTC)}
        return _Verdict(record.model_copy(update=checked), fault=fault)

    def _original(self, record: Record) -> tuple[Given | None, str]:
        """Return what is kept for other daemons, if it is there, and its fault: then it is removed."""
        path = self._index.directory / ORIGINALS / record.sha256
        if record.original is None or not os.path.lexists(path):  # somebody may have made room
            return None, ""
        with suppress(AssetError):
            given = given_of(path, lambda *_: None)
            if given.sha256 == record.sha256:
                return given, ""
        path.unlink(missing_ok=True)
        return None, f"{path}: was damaged, and was removed; other daemons do not get it from here"

    def _is_of(self, asset: str, given: Given) -> bool:
        """Say whether a file belongs to a record, and not to another one, to which it has given way."""
        return self._index.found_of(asset, given) is not Found.GONE or not self._index.is_own(asset)

    def _clear(self, download: Download, wrong: tuple[str, ...]) -> str:
        """Remove the files of a download, but set aside what somebody may have put there; say what became of it."""
        record = self._index.records.get(download.name)
        given = record.gives if record else {}
        fate = "was removed"
        for asset in wrong:
            is_given = asset in given and self._index.found_of(asset, given[asset]) is not Found.REPLACED
            if not is_given:
                fate = f"was moved to {self._index.set_aside(asset)}"
        if record:
            self._index.clear(record)
        return fate

    def _unrest(self, marks: Marks) -> float:
        """Return for how many seconds more files have to stay as they are."""
        now = time.time()
        ages = (now - modified / 1e9 for _, modified in marks)
        return max((self._settle - age for age in ages if 0 <= age < self._settle), default=0.0)

    def _marks(self, download: Download) -> Marks:
        return [_mark(path) for path in self._paths(download)]

    def _paths(self, download: Download) -> Iterator[Path]:
        record = self._index.records.get(download.name)
        for asset in record.gives if record else (download.name,):
            yield self._index.directory / asset


def _meant(download: Download) -> str:
    return "the pinned one" if is_pinned(download) else "when it was downloaded"


def _mark(path: Path) -> tuple[int, int]:
    """Return the size and the time of a file; zeros if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
