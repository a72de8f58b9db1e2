"""The folder that an import copies files to: a hidden one of the assets directory, which is not served. Blocks."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iluvatar_pxe.errors import ControlError

_FOLDER = ".import"


@contextmanager
def staging(assets: Path) -> Iterator[Path]:
    """Make the folder that files are copied to, and empty it in the end; raises ControlError beside another import."""
    folder = assets / _FOLDER
    for directory in (assets, folder):  # without a daemon, nobody has made them
        _make(directory)
    try:
        with _emptied(folder):
            yield folder
    except BlockingIOError as error:
        raise ControlError(f"{folder}: another import runs; wait for its end") from error


def remove_copies(assets: Path) -> None:
    """Remove what an import has left that was killed, but not while one runs; raises OSError."""
    with suppress(FileNotFoundError, BlockingIOError), _emptied(assets / _FOLDER):
        pass


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """Empty the folder before and after; raises BlockingIOError where somebody else uses it."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(folder)
        try:
            yield
        finally:
            _empty(folder)
    finally:
        os.close(lock)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise ControlError(f"{directory}: cannot be made: {error.strerror}; make it writable") from error


def _empty(folder: Path) -> None:
    for left in folder.iterdir():
        shutil.rmtree(left)
