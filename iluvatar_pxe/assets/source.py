"""The source of one served file: memory or disk, read at any offset."""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Protocol, Self

from msgspec import Struct

from iluvatar_pxe.assets.opening import ListedFile, open_listed
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.host.threads import begun, handed

SHORTER = "the file became shorter while it was sent; ask again"
_OTHER = "the file was changed while it was sent; ask again"


class Source(Protocol):
    """One open file of a size that is known before the first byte is read."""

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        ...

    async def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer only where the file ends; raises AssetError."""
        ...

    def fill(self, offset: int, places: Sequence[memoryview]) -> bool:
        """Put what is there from ``offset`` on into all of these, one after the other, if that waits for nothing.

        Return whether it was so: else ``read`` tells, and the places have anything in them.
        """
        ...

    async def close(self) -> None:
        """Let go of it; may be called again."""
        ...


class FileReply(Struct, frozen=True):
    """A file to send, and a callback that records the download, called with its bytes and milliseconds.

    ``record`` returns False if the client is unknown.
    """

    source: Source
    record: Callable[[int, float], bool]


class BytesSource:
    """A file that was made in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    async def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def fill(self, offset: int, places: Sequence[memoryview]) -> bool:
        data = memoryview(self._data)
        for place in places:
            place[:] = data[offset : offset + len(place)]
            offset += len(place)
        return True

    async def close(self) -> None:
        pass


class FileSource:
    """A regular file on disk. Every call to the operating system that may wait happens in a thread."""

    def __init__(self, path: Path, file: FileIO, size: int, modified: int) -> None:
        self._path = path
        self._file = file
        self._size = size
        self.modified = modified
        """When its content changed last, in nanoseconds, when it was opened."""

    @classmethod
    async def open(cls, listed: ListedFile) -> Self:
        """Open a file; raises AssetError (one line) if it is not a readable regular file, or not what was listed."""
        file, status = await handed(partial(open_listed, listed), lambda opened: opened[0].close())
        return cls(listed.path, file, status.st_size, status.st_mtime_ns)

    @property
    def tag(self) -> str:
        """The ETag of its content, as aiohttp makes it."""
        return f'"{self.modified:x}-{self._size:x}"'

    @property
    def descriptor(self) -> int:
        """The number of the open file, until it is closed."""
        return self._file.fileno()

    @property
    def opened(self) -> Path:
        """A path of the very file that is open, whatever lies at its old path by now (proc_pid_fd(5))."""
        return Path(f"/proc/self/fd/{self.descriptor}")

    @property
    def size(self) -> int:
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        return await asyncio.to_thread(self._pread, offset, length)

    def fill(self, offset: int, places: Sequence[memoryview]) -> bool:
        if not fill_from_memory(self._file, offset, places):
            return False
        try:
            self.check(self._file.fileno())
        except (AssetError, OSError):
            return False
        return True

    def check(self, descriptor: int) -> None:
        """Raise AssetError if the file, open here, has other content than when it was opened, as far as size and time tell."""
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns) != (self._size, self.modified):
            raise AssetError(SHORTER if status.st_size < self._size else _OTHER)

    async def close(self) -> None:
        await asyncio.shield(begun(self._file.close))

    def _pread(self, offset: int, length: int) -> bytes:
        try:
            found = os.pread(self._file.fileno(), length, offset)
            self.check(self._file.fileno())
        except (OSError, ValueError) as error:  # ValueError: closed while a cancelled read was on its way
            raise AssetError(f"{self._path}: cannot be read: {error}; fetch or restore it") from error
        return found


def fill_from_memory(file: FileIO, offset: int, places: Sequence[memoryview]) -> bool:
    """Read a file into all these places if the kernel has that in memory, and tell whether it has; never waits for a disk."""
    try:
        count = os.preadv(file.fileno(), places, offset, os.RWF_NOWAIT)
    except (OSError, ValueError):  # not in memory, a file system that cannot tell, or closed
        return False
    return count == sum(map(len, places))
