"""Files that hold keys: closed to others, and never shown on a terminal."""

import sys
from pathlib import Path

from iluvatar_pxe.errors import OperationError, UsageError
from iluvatar_pxe.host.durable import write_file
from iluvatar_pxe.host.owner import make_directory

STANDARD = Path("-")
"""Standard input or output."""


def check_output(file: Path) -> None:
    """Raise UsageError where keys would be shown on a terminal."""
    if file == STANDARD and sys.stdout.isatty():
        raise UsageError(
            "standard output is a terminal, which would show private keys; name a file, or pipe it"
        )


def read_private(file: Path) -> str:
    """Return what a file holds; raises OperationError, UsageError where somebody would have to type it."""
    if file == STANDARD:
        if sys.stdin.isatty():
            raise UsageError("standard input is a terminal; name a file, or pipe it")
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise OperationError(f"{file}: cannot be read: {error.strerror}; name another file") from error
    except UnicodeDecodeError as error:
        raise OperationError(f"{file}: is not UTF-8 text; name another file") from error


def write_private(file: Path, text: str) -> None:
    """Put a text in the place of a file that nobody else may read, in a folder that is made; raises OperationError."""
    if file == STANDARD:
        sys.stdout.write(text)
        return
    try:
        place = file.resolve()
        make_directory(place.parent)
        write_file(place, text.encode(), 0o600)
    except OSError as error:
        raise OperationError(f"{file}: cannot be written: {error.strerror}; name another file") from error
