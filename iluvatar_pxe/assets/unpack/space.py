"""Whether a disk has room for what is about to be unpacked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.assets.space import FULL, lacking, missing, no_space
from iluvatar_pxe.errors import DiskError

_BLOCK = 512
"""Bytes in which the system counts what a file takes (stat(2))."""


@contextmanager
def room_for(place: Path, needed: int) -> Iterator[None]:
    """Raise DiskError, which says how much is missing, unless ``needed`` bytes fit below ``place``, also in the middle.

    Raises OSError.
    """
    if lacks := missing(needed, shutil.disk_usage(place).free):
        raise _full(place, lacks)
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        left = max(0, needed - _taken(place))
        raise _full(place, lacking(left, shutil.disk_usage(place).free)) from error


def _full(place: Path, lacks: int) -> DiskError:
    return DiskError(f"cannot be unpacked: {no_space(place, lacks)}")


def _taken(place: Path) -> int:
    return sum(path.lstat().st_blocks * _BLOCK for path in place.rglob("*") if not path.is_dir())
