"""Files that the asking process may not read, also when the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def directory_for_nobody() -> Iterator[Path]:
    """Yield a directory that every user can reach (pytest's own are closed to others); gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="iluvatar-pxe-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def without_root() -> Iterator[None]:
    """Give up root's right to read everything, inside the block; does nothing for other users."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
