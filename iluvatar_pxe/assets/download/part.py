"""The beginning of a file that is being downloaded, as it lies on the disk. These functions block, and raise OSError.

Beside ``NAME.part`` lies ``NAME.part.json``, written now and then when all before is on the disk: how many bytes that
is, their checksum, and where they came from. What came later is not trusted after a crash.
"""

import errno
import hashlib
import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from iluvatar_pxe.assets.download.ranges import Kept
from iluvatar_pxe.host.durable import put_in_place, remove_file, write_file
from iluvatar_pxe.host.owner import Owner

_NOTE_BYTES = 16 << 20
_NOTE_SECONDS = 5.0
"""A note is written after so many bytes, and after so much time."""
_LARGEST_NOTE = 10_000
_MODE = 0o644
_PIECE = 1 << 20
_NO_FILE = {errno.ENOENT, errno.ELOOP}
"""Nothing is there, or a link that somebody else made."""


class _Note(BaseModel):
    """What is on the disk for certain: bytes and their checksum.

    ``source`` is a checksum of the address, empty where they came from several; ``validator`` is empty where none is known.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    source: str
    validator: str
    total: int | None
    size: Annotated[int, Field(gt=0)]
    sha256: str


class Part:
    """One file in a directory, and how far it is.

    ``algorithms`` are the checksums that are wanted. Where there is one, it says in the end whether the file is right,
    so that what came from one address may be gone on with at another.
    """

    def __init__(self, path: Path, algorithms: Collection[str]) -> None:
        self.path = path
        self.size = 0
        self._note = path.with_name(f"{path.name}.json")
        self._source = self._validator = ""
        self._is_checked = bool(algorithms)
        self._total: int | None = None
        self._file: BinaryIO | None = None
        self._noted, self._noted_at = 0, 0.0
        self._hashes = {name: hashlib.new(name) for name in {"sha256", *algorithms}}

    def resume(self, url: str) -> Kept | None:
        """Open what is there of the file at an address, and return how to go on with it, if that is possible."""
        self._forget()
        note = self._read_note()
        if note is None or not self._may_resume(note, url):
            return None
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _NO_FILE:
                return None
            raise
        self._file = os.fdopen(handle, "r+b")
        self._hash_beginning(note.size)
        if self.size != note.size or self.checksum("sha256") != note.sha256:
            return None
        self._file.truncate(self.size)
        is_same = note.source == _source_of(url)
        self._source, self._validator = (note.source, note.validator) if is_same else ("", "")
        self._total = note.total
        self._noted, self._noted_at = self.size, time.monotonic()
        return Kept(note.size, self._validator, note.total)

    def begin(self, url: str, validator: str, total: int | None) -> None:
        """Begin at the first byte: in another file, for somebody may still be reading the one before."""
        self.discard()
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        self._file = os.fdopen(handle, "r+b")
        Owner.of(self.path.parent).take(handle)
        self._source, self._validator, self._total = _source_of(url), validator, total
        self._noted, self._noted_at = 0, time.monotonic()

    def append(self, piece: bytes) -> None:
        """Write what came."""
        if self._file is None:
            raise ValueError("nothing has begun")
        self._file.write(piece)
        self._file.flush()
        for one in self._hashes.values():
            one.update(piece)
        self.size += len(piece)
        if self.size - self._noted >= _NOTE_BYTES or time.monotonic() - self._noted_at >= _NOTE_SECONDS:
            self.note()

    def note(self) -> None:
        """Have all that came written to the disk, and then note it."""
        if self._file is None or self._noted == self.size or not (self._validator or self._is_checked):
            return
        os.fdatasync(self._file.fileno())
        note = _Note(
            source=self._source,
            validator=self._validator,
            total=self._total,
            size=self.size,
            sha256=self.checksum("sha256"),
        )
        write_file(self._note, note.model_dump_json().encode())
        self._noted, self._noted_at = self.size, time.monotonic()

    def checksum(self, algorithm: str) -> str:
        """Return a checksum of what is there, in hex."""
        return self._hashes[algorithm].hexdigest()

    def rest(self) -> None:
        """Let go of the file; what is there stays for the next attempt."""
        with suppress(OSError):  # what cannot be noted is downloaded again
            self.note()
        self._close()

    def spare(self) -> None:
        """Keep what is there if the next attempt can go on with it, and remove it otherwise."""
        with suppress(OSError):  # an earlier note is good, too
            self.note()
        if not self._noted:
            self.discard()

    def discard(self) -> None:
        """Remove what is there."""
        self._forget()
        remove_file(self._note)
        self.path.unlink(missing_ok=True)

    def finish(self, place: Path) -> None:
        """Rename the whole file to ``place``."""
        self._close()
        put_in_place(self.path, place)
        remove_file(self._note)

    def _close(self) -> None:
        if self._file:
            file, self._file = self._file, None
            with suppress(OSError):  # what a full disk did not take is not noted
                file.close()

    def _forget(self) -> None:
        """Know nothing of what is there."""
        self._close()
        self.size = self._noted = 0
        self._hashes = {name: hashlib.new(name) for name in self._hashes}

    def _may_resume(self, note: _Note, url: str) -> bool:
        if note.source == _source_of(url):
            return bool(note.validator)
        return self._is_checked

    def _read_note(self) -> _Note | None:
        """Return what was noted; None where that is nothing, or damaged."""
        try:
            with self._note.open("rb") as file:
                return _Note.model_validate_json(file.read(_LARGEST_NOTE))
        except (FileNotFoundError, ValidationError):
            return None

    def _hash_beginning(self, size: int) -> None:
        """Take in the first ``size`` bytes that are there."""
        while self._file and (piece := self._file.read(min(_PIECE, size - self.size))):
            for one in self._hashes.values():
                one.update(piece)
            self.size += len(piece)


def part_of(place: Path) -> Path:
    """Return where a file is written while it is downloaded to ``place``."""
    return place.with_name(f"{place.name}.part")


def _source_of(url: str) -> str:
    """Return what tells addresses apart, without what may be secret in them."""
    return hashlib.sha256(url.encode()).hexdigest()
