"""A file that is still being downloaded, passed on to whoever asks for it: the end only once it is verified."""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from io import FileIO
from pathlib import Path

from iluvatar_pxe.assets.source import fill_from_memory
from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.host.threads import begun, handed

WITHHELD = 64 << 10
"""Bytes at the end of a file that nobody gets before it is verified: without them no firmware runs it."""


class Arrival:
    """One attempt to download a file, as far as it is on the disk. Told by the download, followed by its readers."""

    def __init__(self, name: str, part: Path) -> None:
        """``part`` is where the download writes."""
        self.name = name
        self.part = part
        self.size: int | None = None
        """Known as soon as the publisher has told it."""
        self.done = 0
        self.attempt = 0
        """Counts how often the download began at the first byte again."""
        self.is_verified = False
        self.failure = ""
        self.moved = Changed()

    @property
    def is_over(self) -> bool:
        """Say whether nothing more comes."""
        return self.is_verified or bool(self.failure)

    @property
    def available(self) -> int:
        """Return how many bytes may be passed on."""
        if self.is_verified or self.size is None:
            return self.done
        return max(0, min(self.done, self.size - WITHHELD))

    def reach(self, done: int, size: int | None) -> None:
        """Take in how much is on the disk."""
        if done < self.done or (self.size is not None and size not in {None, self.size}):
            self.attempt += 1
        self.done, self.size = done, self.size if size is None else size
        self.moved.tell()

    def verify(self, size: int, path: Path) -> None:
        """Take in that all of it is there, and is what is wanted, at ``path``."""
        if self.size not in {None, size}:
            self.attempt += 1
        self.done, self.size, self.is_verified, self.part = size, size, True, path
        self.moved.tell()

    def fail(self, why: str) -> None:
        """Take in that it ends here; nothing of it is kept."""
        if not self.is_over:
            self.failure = why
            self.moved.tell()

    async def sized(self) -> int | None:
        """Return the size once it is known, or None if the download fails."""
        with Subscription(self.moved) as moved:
            while self.size is None and not self.is_over:
                await moved.wait()
        return None if self.failure else self.size


class ArrivingSource:
    """One reader of an arrival: waits for bytes that are not there yet."""

    def __init__(self, arrival: Arrival, size: int) -> None:
        self._arrival = arrival
        self._attempt = arrival.attempt
        self._size = size
        self._file: FileIO | None = None

    @property
    def size(self) -> int:
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """Return these bytes once they are there; raises AssetError if they never will be."""
        end = min(offset + length, self._size)
        with Subscription(self._arrival.moved) as moved:
            while self._arrival.available < end or not await self._opened():
                self._check()
                await moved.wait()
        self._check()
        return await asyncio.to_thread(self._pread, offset, end - offset)

    def fill(self, offset: int, places: Sequence[memoryview]) -> bool:
        arrival, end = self._arrival, offset + sum(map(len, places))
        if arrival.failure or arrival.attempt != self._attempt or arrival.available < end or not self._file:
            return False
        return fill_from_memory(self._file, offset, places)

    async def close(self) -> None:
        if self._file:
            await asyncio.shield(begun(self._file.close))

    def _check(self) -> None:
        arrival = self._arrival
        if arrival.failure:
            raise AssetError(f"{arrival.name}: its download failed: {arrival.failure}; ask again later")
        if arrival.attempt != self._attempt:
            raise AssetError(f"{arrival.name}: its download had to begin again; ask again")

    async def _opened(self) -> bool:
        """Open the file if it is not open, and say whether it is: it may just be moved into place."""
        if self._file is None:
            path = self._arrival.part
            self._file = await handed(partial(_open, path), _close)
            if self._file is None and self._arrival.is_verified and path == self._arrival.part:
                raise AssetError(f"{self._arrival.name}: was unpacked meanwhile; ask again")
        return self._file is not None

    def _pread(self, offset: int, length: int) -> bytes:
        if self._file is None:
            return b""
        try:
            return os.pread(self._file.fileno(), length, offset)
        except (OSError, ValueError) as error:  # ValueError: closed while a cancelled read was on its way
            raise AssetError(f"{self._arrival.name}: cannot be read: {error}; ask again") from error


def _open(path: Path) -> FileIO | None:
    try:
        return FileIO(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error.strerror}; ask again") from error


def _close(file: FileIO | None) -> None:
    if file:
        file.close()
