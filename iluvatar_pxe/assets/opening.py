"""Opens a listed file if what lies at its path now is what the listing allowed: a link may have come in between."""

import errno
import os
import stat
from io import FileIO
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.assets.links import Place, allow
from iluvatar_pxe.errors import AssetError, AssetNotReadyError

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_REGULAR = os.O_NONBLOCK | os.O_NOCTTY  # a FIFO would wait for its writer
_FILE = os.O_RDONLY | os.O_NOFOLLOW | _REGULAR
_CHANGED = {errno.ELOOP, errno.ENOTDIR}


class ListedFile(Struct, frozen=True):
    """A file at an absolute path without links, and the users that made the links which led there."""

    path: Path
    makers: frozenset[int] = frozenset()
    size: int = 0
    modified: int = 0
    """When its content changed last, in nanoseconds: by this and its size another one is noticed."""


def open_listed(listed: ListedFile) -> tuple[FileIO, os.stat_result]:
    """Open a file; raises AssetError (one line) unless it is regular, reached without links, and for its makers to read."""
    try:
        file = FileIO(listed.path, opener=lambda _path, _flags: _descend(listed))
    except OSError as error:
        if error.errno in _CHANGED:
            why = (
                "is behind a link that was not there when the directory was read; ask again in a few seconds"
            )
            raise AssetNotReadyError(f"{listed.path}: {why}") from error
        why = f"cannot be opened: {error.strerror}; make it a readable regular file"
        raise AssetError(f"{listed.path}: {why}") from error
    status = os.fstat(file.fileno())
    try:
        _check(listed, status)
    except AssetError:
        file.close()
        raise
    return file, status


def regular(path: str, flags: int) -> int:
    """Open a regular file, also behind links, as an ``opener`` of ``open``; raises OSError for anything else."""
    descriptor = os.open(path, flags | _REGULAR)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor


def _check(listed: ListedFile, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise AssetError(f"{listed.path}: not a regular file; only regular files are served")
    allow(listed.makers, Place(listed.path, status, frozenset()))


def _descend(listed: ListedFile) -> int:
    """Return a descriptor of the file, gone to folder by folder; each is checked where it was opened."""
    *folders, name = listed.path.parts[1:]
    here = os.open("/", _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
            if listed.makers:
                allow(listed.makers, Place(listed.path, os.fstat(here), frozenset()))
        return os.open(name, _FILE, dir_fd=here)
    finally:
        os.close(here)
