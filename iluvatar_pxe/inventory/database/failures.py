"""Database errors, in one line that names the file, the cause and the remedy."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from iluvatar_pxe.errors import InventoryError

_REPLACE = "restore a backup: iluvatar-pxe db restore FILE, or start over: iluvatar-pxe db set-aside"
_DAMAGED = ("it is damaged or not a database", "{if_damaged}")
_LOCKED = ("it is locked by another program", "end that program (`fuser -v {path}` names it)")

_SQLITE: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: _LOCKED,
        sqlite3.SQLITE_LOCKED: _LOCKED,
        sqlite3.SQLITE_FULL: ("the disk is full", "make room on the filesystem of {directory}"),
        sqlite3.SQLITE_NOTADB: _DAMAGED,
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_READONLY: (
            "it cannot be written",
            "give the daemon's user write access to it and its directory {directory}",
        ),
        sqlite3.SQLITE_CANTOPEN: (
            "it cannot be opened",
            "give the daemon's user read and write access to it and its directory {directory}",
        ),
        sqlite3.SQLITE_IOERR: ("its disk reports an I/O error", "check the disk of {directory} (`dmesg`)"),
    }
)
"""Cause and remedy by primary result code (https://sqlite.org/rescode.html)."""


@contextmanager
def reported(path: Path, *, if_damaged: str = _REPLACE) -> Iterator[None]:
    """Turn every error of the database at ``path``, or of the directory it is in, into InventoryError.

    ``if_damaged`` is the remedy for a damaged file.
    """
    try:
        yield
    except DBAPIError as error:
        raise InventoryError(_line(path, error.orig, if_damaged)) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise InventoryError(_line(path, error, if_damaged)) from error
    except OSError as error:
        remedy = f"make {path.parent} a directory that the daemon's user can write"
        raise InventoryError(f"{path}: {error.strerror}; {remedy}") from error


def _line(path: Path, error: BaseException | None, if_damaged: str) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    text = " ".join(str(error).split())
    cause, remedy = _SQLITE.get(code, ("unexpected error", "check it with `sqlite3 {path} .schema`"))
    remedy = remedy.format(path=path, directory=path.parent, if_damaged=if_damaged)
    return f"{path}: {cause} ({text}); {remedy}"
