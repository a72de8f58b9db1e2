"""The part of one file on the disk, in a thread of its own; faults of the disk in one line."""

import asyncio
import errno
import shutil
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from iluvatar_pxe.assets.download.part import Part, part_of
from iluvatar_pxe.assets.download.space import missing
from iluvatar_pxe.errors import DiskError
from iluvatar_pxe.host.background import background_thread

P = ParamSpec("P")
T = TypeVar("T")

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FREE = "make room, for example with: iluvatar-pxe assets gc"


class Disk:
    """``part`` is used by the thread alone while ``do`` waits for it; ``path`` is where the whole file is to be."""

    def __init__(self, what: str, path: Path, algorithms: Collection[str]) -> None:
        """``what`` is named in errors; ``algorithms`` are the checksums that are wanted besides sha256."""
        self.path = path
        self.part = Part(part_of(path), algorithms)
        self._what = what
        self._thread = background_thread("download")

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do in the thread what blocks, after all that was begun before; raises DiskError."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))
        except OSError as error:
            if error.errno in _FULL:
                await loop.run_in_executor(self._thread, self.part.discard)
                raise DiskError(f"{self._what}: the disk of {self.path.parent} is full; {_FREE}") from error
            place = error.filename or self.path
            raise DiskError(
                f"{self._what}: {place}: {error.strerror}; make the directory writable"
            ) from error

    async def need(self, count: int) -> None:
        """Remove the part, and raise DiskError, if ``count`` more bytes would fill the disk."""
        usage = await self.do(shutil.disk_usage, self.path.parent)
        if lacking := missing(count, usage.free):
            await self.do(self.part.discard)
            raise DiskError(f"{self._what}: {self.path.parent} lacks {lacking} bytes of free space; {_FREE}")

    def close(self) -> None:
        """Let the thread end after what it still has to do."""
        self._thread.shutdown(wait=False)
