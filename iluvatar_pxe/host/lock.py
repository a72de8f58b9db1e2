"""One daemon, or one command in its place, at a state directory."""

import fcntl
import os
from pathlib import Path

from iluvatar_pxe.errors import ServerError


def lock_directory(directory: Path) -> None:
    """Take the state directory for as long as this process lives; raises ServerError when another has it.

    The directory itself is locked, which needs no file and so no file system that can be written.
    """
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ServerError(f"{directory}: cannot be opened: {error.strerror}; make it readable") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        text = f"{directory}: another iluvatar-pxe uses it; stop that or set [state] directory"
        raise ServerError(text) from error
