"""One daemon, or one command in its place, at a state directory."""

import fcntl
import os
from pathlib import Path

from iluvatar_pxe.errors import ServerError


def lock_directory(directory: Path) -> None:
    """Take the state directory for as long as this process lives; raises ServerError when another has it."""
    path = directory / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServerError(f"{path}: cannot be opened: {error.strerror}; make it writable") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        text = f"{directory}: another iluvatar-pxe uses it; stop that or set [state] directory"
        raise ServerError(text) from error
