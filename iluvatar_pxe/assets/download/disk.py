"""The part of one file on the disk, in a thread of its own; faults of the disk in one line."""

import asyncio
import shutil
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from iluvatar_pxe.assets.download.part import Part, part_of
from iluvatar_pxe.assets.space import FULL, Room, lacking, missing, most_unsized, no_space
from iluvatar_pxe.errors import DiskError
from iluvatar_pxe.host.background import background_thread
from iluvatar_pxe.host.threads import finished

P = ParamSpec("P")
T = TypeVar("T")


class Disk:
    """``part`` is used by the thread alone while ``do`` waits for it; ``path`` is where the whole file is to be."""

    def __init__(self, what: str, path: Path, algorithms: Collection[str], room: Room) -> None:
        """``what`` is named in errors; ``algorithms`` are the checksums that are wanted besides sha256."""
        self.path = path
        self.part = Part(part_of(path), algorithms)
        self._what = what
        self._room = room
        self._is_sized, self._unpacked = False, 0
        self._thread = background_thread("download")

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do in the thread what blocks, after all that was begun before, also where this is cancelled; raises DiskError."""
        loop = asyncio.get_running_loop()
        try:
            return await finished(loop.run_in_executor(self._thread, partial(work, *args, **kwargs)))
        except OSError as error:
            if error.errno in FULL:
                raise await self._full(lacking(self._room.promised(self), await self._free())) from error
            place = error.filename or self.path
            raise DiskError(
                f"{self._what}: {place}: {error.strerror}; make the directory writable"
            ) from error

    async def claim(self, count: int | None) -> None:
        """Keep room for ``count`` more bytes, None: of unknown number; raises DiskError.

        A piece of another file that is just being written is counted as written and as promised: 256 KiB at most.
        """
        free = await self._free() - self._room.for_others(self)
        self._is_sized, self._unpacked = count is not None, 0
        if count is not None:
            free += self._room.yield_to_sized(missing(count, free))
        await self._check(count, free)
        self._room.promise(self, most_unsized(free) if count is None else count, is_sized=self._is_sized)

    async def expect(self, unpacked: int, count: int | None) -> None:
        """Keep room also for what the file becomes when it is unpacked, with ``count`` bytes still to come; raises DiskError."""
        self._unpacked = unpacked
        await self._check(count, await self._free() - self._room.for_others(self))
        self._room.promise(self.part, unpacked)

    async def look(self, count: int | None) -> None:
        """Raise DiskError if the disk has filled up so far that ``count`` more bytes do not fit."""
        await self._check(count, await self._free())

    def wrote(self, count: int) -> int:
        """Take in that so many bytes came; return how many more may, negative if these were too many."""
        return self._room.wrote(self, count)

    async def rest(self) -> None:
        """Let go of the part and of the room."""
        self._room.release(self)
        self._room.release(self.part)
        await self.do(self.part.rest)

    async def _free(self) -> int:
        return (await self.do(shutil.disk_usage, self.path.parent)).free

    async def _check(self, count: int | None, free: int) -> None:
        if lacks := missing((count or 0) + self._unpacked, free):
            raise await self._full(lacks)

    async def _full(self, lacks: int) -> DiskError:
        """Keep what can be gone on with, and return the error that says how many bytes are missing."""
        await self.do(self.part.spare)
        words = no_space(self.path.parent, lacks, at_least=not self._is_sized, unpacks=self._unpacked > 0)
        return DiskError(f"{self._what}: {words}")

    def close(self) -> None:
        """Let the thread end after what it still has to do."""
        self._thread.shutdown(wait=False)
