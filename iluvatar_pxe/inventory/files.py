"""The database as a file: copied, replaced, moved away. These functions block.

``backup`` works beside a daemon that writes. The others are for a file that nobody has open: the daemon's own, which
``Inventory`` closes for it, or the one of a daemon that does not run.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory import migrate
from iluvatar_pxe.inventory.engine import make_reading_engine
from iluvatar_pxe.inventory.failures import reported

_COMPANIONS = ("", "-wal", "-shm")
"""The file, and those that SQLite keeps beside it; what is in ``-wal`` belongs to the file of its name."""


def backup(database: Path, target: Path) -> None:
    """Write a copy of the database as it is at this moment: one file, complete, readable by its owner alone.

    Raises InventoryError, also when ``target`` is there already: nothing is ever overwritten.
    """
    if not database.exists():
        raise InventoryError(
            f"{database}: does not exist, so there is nothing to back up; start the daemon once"
        )
    with reported(target), _reserved(target), _temporary(target.parent) as copy:
        with reported(database):
            _copy(database, copy)
        _into_place(copy, target)


def restore(database: Path, source: Path) -> Path | None:
    """Put a copy of the backup ``source`` in the database's place; return where the present file is kept.

    Raises InventoryError when ``source`` is damaged, no inventory, or a newer program's; then nothing has changed.
    """
    _check(source)
    with reported(database):
        database.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(database.parent) as copy:
            _copy(source, copy)
            _owned_like(copy, database if database.exists() else database.parent)
            kept = _move_away(database, "before-restore") if database.exists() else None
            _into_place(copy, database)
    return kept


def set_aside(database: Path) -> Path:
    """Move the database away, whatever state it is in; return where it is now. The next start makes a new one."""
    with reported(database):
        return _move_away(database, "damaged")


def _check(source: Path) -> None:
    if not source.is_file():
        raise InventoryError(f"{source}: there is no such file; name a backup")
    engine = make_reading_engine(source)
    try:
        with reported(source), engine.connect() as connection:
            verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if verdict != "ok":
                raise InventoryError(f"{source}: it is damaged ({verdict}); name another backup")
            if not migrate.is_inventory(connection):
                raise InventoryError(f"{source}: it is a database, but no inventory; name a backup")
            migrate.is_current(connection, source)
    finally:
        engine.dispose()


def _copy(source: Path, copy: Path) -> None:
    """Copy by SQLite's online backup, in one step, so that no writer makes it start again."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read,
        closing(sqlite3.connect(copy)) as written,
    ):
        read.backup(written)
        written.execute("PRAGMA journal_mode = DELETE")  # one file, readable where nothing can be written


@contextmanager
def _reserved(target: Path) -> Iterator[None]:
    """Make ``target`` an empty file; remove it again when what follows fails."""
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise InventoryError(
            f"{target}: is there already, and is not overwritten; name another file"
        ) from None
    try:
        yield
    except BaseException:
        target.unlink()
        raise


@contextmanager
def _temporary(directory: Path) -> Iterator[Path]:
    """Give a file in ``directory``, removed at the end where it was not moved into place."""
    handle, name = tempfile.mkstemp(prefix=".inventory-", suffix=".tmp", dir=directory)
    os.close(handle)
    copy = Path(name)
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _into_place(copy: Path, target: Path) -> None:
    _sync(copy)
    copy.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _owned_like(copy: Path, other: Path) -> None:
    """Root restores for the daemon's user, who must be able to write it."""
    if os.geteuid() == 0:
        status = other.stat()
        os.chown(copy, status.st_uid, status.st_gid)


def _move_away(database: Path, why: str) -> Path:
    kept = database.with_name(f"{database.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{why}")
    if kept.exists():
        raise InventoryError(f"{kept}: is there already; move it away, or wait a second")
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            database.with_name(database.name + companion).rename(kept.with_name(kept.name + companion))
    _sync(database.parent)
    return kept
