"""Files that no loss of power undoes or halves. These functions block, and raise OSError.

What is new is on the disk before its name is, and the name before anybody is told of it (fsync(2): the directory needs
one of its own).
"""

import glob
import itertools
import os
import tempfile
from pathlib import Path

from iluvatar_pxe.host.owner import Owner


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a whole file in the place of ``path``, for the directory's owner; where that fails, ``path`` is what it was."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            Owner.of(path.parent).take(handle)
            os.fchmod(handle, mode)
            file.write(content)
        put_in_place(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_file(path: Path) -> None:
    """Remove a file, if it is there, and what processes that were killed while they wrote it have left beside it."""
    path.unlink(missing_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}-*"):
        left.unlink(missing_ok=True)


def put_in_place(new: Path, path: Path) -> None:
    """Rename a whole file to ``path``, whatever is there."""
    sync(new)
    new.replace(path)
    sync(path.parent)


def put_directory_in_place(new: Path, path: Path) -> None:
    """Rename a directory, with all that is in it, to ``path``, where nothing is."""
    os.sync()  # of everything below it
    new.rename(path)
    sync(path.parent)


def move_aside(path: Path) -> Path:
    """Rename what is damaged, for people to look at, and return where it is; what was moved before stays."""
    places = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    aside = next(place for place in places if not place.exists())
    path.rename(aside)
    sync(path.parent)
    return aside


def sync(path: Path) -> None:
    """Have a file, or a directory's list of names, written to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
