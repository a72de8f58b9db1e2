"""What is known of the files that were downloaded: ``.index.json`` in the assets directory, which is not served."""

import asyncio
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from iluvatar_pxe.assets.opening import regular
from iluvatar_pxe.catalogue.download import Digest, Download
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.host.durable import move_aside, write_file
from iluvatar_pxe.host.threads import to_the_end
from iluvatar_pxe.problem import Problem

INDEX_FILE = ".index.json"
ORIGINALS = ".originals"
"""The folder of archives and images that were unpacked, by their sha256."""
ASIDE = ".aside"
"""The folder for files that are not what they should be, and that somebody may have put there."""

ADOPTED = "copied by hand, and then verified"
"""The source of a file that nobody downloaded, but that has the checksum that is pinned."""

_PIECE = 1 << 20
_log = structlog.get_logger()


class Found(IntEnum):
    """What there is of the files of a record, the worst last."""

    AS_GIVEN = 0
    GONE = 1
    """One of them is missing, or has given way to that of another download."""
    REPLACED = 2
    """One of them was changed, or somebody has put another file in its place."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Given(_Model):
    """One file as it was put in place. ``modified`` is its time in nanoseconds: another one says that it was replaced."""

    size: int
    modified: int
    sha256: str


class Record(_Model):
    """One verified download. ``sha256`` and ``size`` are those of the file that was downloaded, ``gives`` its assets."""

    version: str
    sha256: str
    size: int
    sha512: str = ""
    """Known where the publisher lists that one."""
    source: str
    """Where it came from: an address, another daemon, an import."""
    checked_at: datetime
    wanted_by: tuple[str, ...] = ()
    withdrawn: bool = False
    pinned: bool = False
    """A commit has pinned its checksum."""
    gives: Mapping[str, Given] = Field(default_factory=dict)
    original: Given | None = None
    """The file that was downloaded, where it was unpacked and is kept."""

    def has(self, digest: Digest) -> bool:
        """Say whether the file that was downloaded has this checksum."""
        return {"sha256": self.sha256, "sha512": self.sha512}[digest.algorithm] == digest.value

    def satisfies(self, download: Download) -> bool:
        """Say whether this is the file that is wanted now: of its version, and with the checksum that is pinned.

        Where a commit has removed the checksum that was pinned, it is fetched anew.
        """
        is_unpinned = self.pinned and not isinstance(download.check, Digest)
        return self.version == download.version and not is_unpinned and not self.contradicts(download)

    def contradicts(self, download: Download) -> bool:
        """Say whether another checksum is pinned now, so that this may not be served any more."""
        return isinstance(download.check, Digest) and not self.has(download.check)


class Listed(_Model):
    """The checksum that a publisher's list had for a version of a download, when the list was last checked."""

    version: str
    algorithm: Literal["sha256", "sha512"]
    value: str


class Contents(_Model):
    """All of the file. ``wanted`` are the downloads of the last commit, ``before`` those of the last one that differed.

    ``before`` has those of the last one that was complete, too.

    ``verified`` are downloads that are not in place yet: a crash may have come in between.
    """

    files: Mapping[str, Record] = Field(default_factory=dict)
    verified: Mapping[str, Record] = Field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    complete: frozenset[str] = frozenset()
    """The downloads of the last commit all of whose files were there."""
    listed: Mapping[str, Listed] = Field(default_factory=dict)


class Index:
    """The index of one assets directory. What cannot be written is a problem, and is kept in memory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / INDEX_FILE
        self._contents = Contents()
        self._writing = asyncio.Lock()
        self._problem = Problem(lambda why: _log.error("assets.index", why=why))

    @property
    def records(self) -> Mapping[str, Record]:
        """Every verified download by its name."""
        return self._contents.files

    @property
    def verified(self) -> Mapping[str, Record]:
        """Every download that is verified, and not in place yet."""
        return self._contents.verified

    @property
    def before(self) -> frozenset[str]:
        """The downloads of the last commit that wanted others than the applied one, and of the last complete one."""
        return self._contents.before

    async def load(self) -> None:
        """Read it; one that is damaged is moved aside, and what it knew counts as copied by hand."""
        try:
            self._contents = await asyncio.to_thread(_read, self._path)
        except OSError as error:
            self._problem.set(f"{self._path}: cannot be read: {error.strerror}; make it readable")

    async def put(self, name: str, record: Record) -> None:
        """Add the record of files that are in place, or replace it."""
        verified = {other: one for other, one in self.verified.items() if other != name}
        files = {**self.records, name: record}
        await self._save(self._contents.model_copy(update={"files": files, "verified": verified}))

    async def expect(self, name: str, record: Record) -> None:
        """Note a download that is verified, and will be put in place."""
        await self._save(self._contents.model_copy(update={"verified": {**self.verified, name: record}}))

    async def give_up(self, name: str) -> None:
        """Forget a download that was verified, and cannot be put in place."""
        verified = {other: one for other, one in self.verified.items() if other != name}
        await self._save(self._contents.model_copy(update={"verified": verified}))

    async def drop(self, names: Iterable[str]) -> None:
        """Forget records."""
        gone = frozenset(names)
        kept = {name: record for name, record in self.records.items() if name not in gone}
        await self._save(self._contents.model_copy(update={"files": kept}))

    async def follow(self, wanted: frozenset[str]) -> None:
        """Take in what the applied commit wants."""
        old = self._contents
        if wanted != old.wanted:
            verified = {name: one for name, one in old.verified.items() if name in wanted | old.wanted}
            new = {"wanted": wanted, "before": old.wanted | old.complete, "verified": verified}
            await self._save(old.model_copy(update=new))

    async def complete(self) -> None:
        """Take in that all is there that the applied commit wants."""
        if self._contents.complete != self._contents.wanted:
            await self._save(self._contents.model_copy(update={"complete": self._contents.wanted}))

    def names_of(self, digest: Digest) -> tuple[str, ...]:
        """Return the assets that have this checksum."""
        whole = [name for name, one in self.records.items() if name in one.gives and one.has(digest)]
        given = (pair for record in self.records.values() for pair in record.gives.items())
        parts = [name for name, file in given if (digest.algorithm, digest.value) == ("sha256", file.sha256)]
        return tuple(dict.fromkeys([*whole, *parts]))

    def original_of(self, digest: Digest) -> Given | None:
        """Return the original that has this checksum, if it is kept."""
        return next((one.original for one in self.records.values() if one.original and one.has(digest)), None)

    def unpacked(self, name: str) -> Record | None:
        """Return the record of a download that was unpacked, if its original is kept."""
        record = self.records.get(name)
        return record if record and record.original else None

    @property
    def originals(self) -> frozenset[str]:
        """The sha256 of each original that is kept, or is about to be unpacked from where it is kept."""
        expected = {one.sha256 for one in self.verified.values()}
        return frozenset(expected | {one.original.sha256 for one in self.records.values() if one.original})

    async def note_listed(self, download: Download, digest: Digest) -> None:
        """Note what a publisher's list says of a download, and forget what lists said of those that are gone."""
        known = self._contents.wanted | self.before | self.records.keys()
        kept = {name: one for name, one in self._contents.listed.items() if name in known}
        new = Listed(version=download.version, algorithm=digest.algorithm, value=digest.value)
        if kept.get(download.name) != new:
            listed = {**kept, download.name: new}
            await self._save(self._contents.model_copy(update={"listed": listed}))

    def listed_of(self, download: Download) -> Digest | None:
        """Return what the publisher's list said last of this version of a download."""
        listed = self._contents.listed.get(download.name)
        return (
            Digest(listed.algorithm, listed.value) if listed and listed.version == download.version else None
        )

    def found(self, record: Record) -> Found:
        """Say whether the files of a record are there as they were put in place; blocks."""
        found = {self.found_of(asset, given) for asset, given in record.gives.items()}
        return max(found, default=Found.GONE)

    def is_own(self, asset: str) -> bool:
        """Say whether a download of ours put the file there that an asset is now; blocks."""
        return _mark(self.directory / asset) in self.marks(asset)

    def marks(self, asset: str) -> frozenset[tuple[int, int]]:
        """Return size and time of each file that downloads of ours put there as an asset."""
        given = (one.gives[asset] for one in self.records.values() if asset in one.gives)
        return frozenset((one.size, one.modified) for one in given)

    def contradicting(self, downloads: Iterable[Download]) -> frozenset[str]:
        """Return the assets that are here, and may not be served while these downloads are wanted; blocks."""
        wrong = (
            self.records[one.name]
            for one in downloads
            if one.name in self.records and self.records[one.name].contradicts(one)
        )
        pairs = [pair for record in wrong for pair in record.gives.items()]
        return frozenset(asset for asset, given in pairs if self.found_of(asset, given) is Found.AS_GIVEN)

    def remove(self, record: Record) -> None:
        """Remove all files of a record, but none that another one has put in their place; blocks, raises AssetError."""
        self.clear(record)
        if record.original and not any(
            one.original == record.original for one in self.records.values() if one is not record
        ):
            _unlink(self.directory / ORIGINALS / record.original.sha256)

    def clear(self, record: Record) -> None:
        """Remove the assets of a record, but not its original, nor what another one has put there; blocks, raises AssetError."""
        for asset, given in record.gives.items():
            path = self.directory / asset
            others = [one.gives.get(asset) for one in self.records.values() if one is not record]
            if self.found_of(asset, given) is Found.AS_GIVEN and given not in others:
                _unlink(path)
        for folder in {(self.directory / asset).parent for asset in record.gives}:
            remove_empty(folder, self.directory)

    def set_aside(self, asset: str) -> Path:
        """Move a file that somebody may have put there to where it is not served, and return that place; blocks.

        Raises AssetError.
        """
        path, aside = self.directory / asset, _free(self.directory / ASIDE / asset, self.directory / asset)
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, aside)
        except FileNotFoundError:  # gone since
            return aside
        except OSError as error:
            raise AssetError(f"{path}: cannot be moved to {aside}: {error.strerror}; remove it") from error
        return aside

    def found_of(self, asset: str, given: Given) -> Found:
        """Say whether one file is there as it was put in place; blocks."""
        mark = _mark(self.directory / asset)
        if mark == (given.size, given.modified):
            return Found.AS_GIVEN
        return Found.GONE if mark is None or self.is_own(asset) else Found.REPLACED

    async def _save(self, contents: Contents) -> None:
        self._contents = contents
        async with self._writing:
            try:
                text = self._contents.model_dump_json(indent=1)
                await to_the_end(write_file, self._path, text.encode(), 0o640)
            except OSError as error:
                self._problem.set(f"{self._path}: cannot be written: {error.strerror}; make it writable")
            else:
                self._problem.clear()


def _mark(path: Path) -> tuple[int, int] | None:
    """Return what tells one file from another, as far as size and time do; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _free(aside: Path, path: Path) -> Path:
    """Return a place for what lies at ``path``: a file replaces one that was set aside before, but no folder does."""
    numbered = (aside.with_name(f"{aside.name}.{number}") for number in itertools.count(2))
    places = itertools.chain([aside], numbered)
    return next(one for one in places if not one.exists() or not (one.is_dir() or path.is_dir()))


def remove_empty(folder: Path, root: Path) -> None:
    """Remove an empty folder, and those above it that are empty then, but not ``root``; blocks."""
    with suppress(OSError):  # others are in it
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise AssetError(f"{path}: cannot be removed: {error.strerror}; make it writable") from error


def given_of(path: Path, report: Callable[[int, int | None], None]) -> Given:
    """Return what a file is now, with its checksum; blocks, raises AssetError, and what ``report`` raises."""
    digest, done = hashlib.sha256(), 0
    try:
        with open(path, "rb", opener=regular) as file:
            status = os.fstat(file.fileno())
            while piece := file.read(_PIECE):
                digest.update(piece)
                done += len(piece)
                report(done, status.st_size)
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error.strerror}; fetch it again") from error
    return Given(size=status.st_size, modified=status.st_mtime_ns, sha256=digest.hexdigest())


def _read(path: Path) -> Contents:
    try:
        return Contents.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Contents()
    except ValidationError:
        aside = move_aside(path)
        why = (
            f"{path}: is damaged, and was moved to {aside}; iluvatar-pxe assets verify reads the files again"
        )
        _log.error("assets.index", why=why)
        return Contents()
