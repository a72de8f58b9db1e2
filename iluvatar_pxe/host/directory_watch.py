"""Tells that something has happened in directories: the kernel reports it by inotify(7)."""

import asyncio
import ctypes
import errno
import os
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_ATTRIBUTES, _WRITTEN, _MOVED_FROM, _MOVED_TO, _CREATED, _DELETED = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_SELF_DELETED, _SELF_MOVED, _ONLY_DIRECTORIES = 0x400, 0x800, 0x1000000
_NEWS = (
    _ATTRIBUTES
    | _WRITTEN
    | _MOVED_FROM
    | _MOVED_TO
    | _CREATED
    | _DELETED
    | _SELF_DELETED
    | _SELF_MOVED
    | _ONLY_DIRECTORIES
)
_MOST = 1 << 16
"""Bytes of news read at once; what they say is not looked at."""
_REMOTE = frozenset({"9p", "afs", "ceph", "cifs", "nfs", "nfs4", "smb3", "vboxsf", "virtiofs"})
"""File systems on which others write without this kernel's knowledge; those in user space (fuse) besides."""

_MOUNTS = Path("/proc/self/mountinfo")

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """One inotify instance, made at the first ``follow``: closing one takes up to 20 ms, so it is kept."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._watches: frozenset[int] = frozenset()

    def follow(self, directories: Iterable[Path]) -> None:
        """Watch these directories and no others, but for those that are not there. Blocks.

        Raises OSError where the kernel does not tell: at its limits, and of remote file systems.
        """
        file = self._opened()
        before, self._watches = self._watches, frozenset(_watches(file, directories))
        for watch in before - self._watches:
            _libc.inotify_rm_watch(file, watch)  # fails for a directory that is gone, and so is its watch

    async def news(self, seconds: float) -> None:
        """Return once something has happened in there since this returned last, or after so many seconds.

        That a directory is not followed any more is also told.
        """
        file, loop, heard = self._opened(), asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(file, heard.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await heard.wait()
        finally:
            loop.remove_reader(file)
        with suppress(BlockingIOError):
            os.read(file, _MOST)

    def _opened(self) -> int:
        if self._file is None:
            self._file = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            weakref.finalize(self, os.close, self._file)
        return self._file


def _watches(file: int, directories: Iterable[Path]) -> Iterable[int]:
    remote = remote_devices(os.fsdecode(_MOUNTS.read_bytes()))
    for directory in directories:
        with suppress(FileNotFoundError, NotADirectoryError):
            if directory.stat().st_dev in remote:
                raise OSError(errno.EREMOTE, "it is on a remote file system", str(directory))
            yield _checked(_libc.inotify_add_watch(file, os.fsencode(directory), _NEWS))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, _LIMITS.get(number, os.strerror(number)))
    return result


_LIMITS = {
    errno.EMFILE: "fs.inotify.max_user_instances is reached",
    errno.ENOSPC: "fs.inotify.max_user_watches is reached",
}
"""What the kernel means by its words (inotify_init(2), inotify_add_watch(2))."""


def remote_devices(mountinfo: str) -> frozenset[int]:
    """Return the devices of remote file systems among what is mounted (proc_pid_mountinfo(5))."""
    lines = mountinfo.removesuffix("\n").split("\n")  # other characters that end lines may be in a name
    return frozenset(
        os.makedev(*map(int, before.split(" ")[2].split(":")))
        for before, _, after in (line.partition(" - ") for line in lines)
        if (kind := after.partition(" ")[0]) in _REMOTE or kind.startswith("fuse")
    )
