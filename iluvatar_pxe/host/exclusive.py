"""One process, and one thread of it, at a file that several of them change."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.host.owner import Owner

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Wait until nobody else is in this block with the same lock file, which is made; raises OSError."""
    handle = os.open(lock, _FLAGS, 0o600)
    try:
        Owner.of(lock.parent).take(handle)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
