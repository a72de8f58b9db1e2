"""The database as a file: copied, replaced, moved away. These functions block.

``backup`` works beside a daemon that writes. The others are for a file that nobody has open: the daemon's own, which
``Inventory`` closes for it, or the one of a daemon that does not run.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.host.durable import put_in_place, sync
from iluvatar_pxe.host.owner import Owner
from iluvatar_pxe.inventory.database import migrate
from iluvatar_pxe.inventory.database.engine import make_engine, make_reading_engine, writing
from iluvatar_pxe.inventory.database.failures import reported
from iluvatar_pxe.inventory.database.queries import read_names, read_stored
from iluvatar_pxe.inventory.database.rows import Row
from iluvatar_pxe.inventory.database.writes import carry_over

_COMPANIONS = ("", "-wal", "-shm")
"""The file, and those that SQLite keeps beside it; what is in ``-wal`` belongs to the file of its name."""


class Replaced(Struct, frozen=True):
    """Where the file is kept that was replaced, if there was one, and the names that were carried over from it."""

    kept: Path | None
    carried: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as the end of a sentence that begins with "the old one is"."""
        names = f"; names carried over: {', '.join(self.carried)}" if self.carried else ""
        return f"{self.kept or 'gone'}{names}"


def create(database: Path) -> None:
    """Make an empty file, and its directory, where there is none: readable by its owner alone.

    What SQLite keeps beside it gets the same mode. Root makes it for the daemon's user, who has the directory.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        handle = os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            Owner.of(database.parent).take(handle)
        finally:
            os.close(handle)
        sync(database.parent)


def is_healthy(database: Path) -> bool:
    """Say whether the file is an inventory that can be read to its last row; also beside a daemon that writes."""
    try:
        _check(database)
        with reported(database), _reading(database) as connection:
            read_stored(connection, database)
    except InventoryError:
        return False
    return True


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
        put_in_place(copy, target)


def restore(database: Path, source: Path, known: Sequence[Row] = ()) -> Replaced | None:
    """Put a copy of the backup ``source`` in the database's place; None where there was nothing to replace.

    Names are never given twice: those that the present file has, or ``known`` (rows of ``assignments``), and the backup
    has not, are carried over, see ``writes.carry_over``.

    Raises InventoryError when ``source`` is damaged, no inventory, or a newer program's; then nothing has changed.
    """
    _check(source)
    with reported(database):
        database.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(database.parent) as copy:
            _copy(source, copy)
            carried = _carry_over(copy, [*_names(database), *known])
            kept = _replace(database, copy, "before-restore")
    return Replaced(kept, carried) if kept or carried else None


def set_aside(database: Path, known: Sequence[Row] = ()) -> Replaced:
    """Move the database away, whatever state it is in, and put one in its place that has no machines.

    Names that the present file has are carried over where it can be read, but for those of ``known`` (rows of
    ``assignments``), whose machines are yet to be written.
    """
    own = {(row["layer"], row["name"]) for row in known}
    with reported(database), _temporary(database.parent) as fresh:
        names = [row for row in _names(database) if (row["layer"], row["name"]) not in own]
        carried = _carry_over(fresh, names)
        return Replaced(_replace(database, fresh, "damaged"), carried)


def _names(database: Path) -> list[Row]:
    """Return the rows of ``assignments``; none where the file cannot be read."""
    if not database.exists():
        return []
    try:
        with _reading(database) as connection:
            return read_names(connection)
    except SQLAlchemyError:
        return []


def _carry_over(copy: Path, names: Iterable[Row]) -> tuple[str, ...]:
    """Bring a file to this program's tables, which may be an empty one, and write the names that it lacks."""
    engine = make_engine(URL.create("sqlite", database=str(copy)))
    try:
        migrate.upgrade(engine)
        with writing(engine, durably=True).begin() as connection:
            return carry_over(connection, names)
    finally:
        engine.dispose()  # the last one to close the file takes what is in -wal into it


def _replace(database: Path, copy: Path, why: str) -> Path | None:
    """Put ``copy`` in the database's place, and return where the present file is kept."""
    there = database.exists()
    handle = os.open(copy, os.O_RDONLY)
    try:
        Owner.of(database if there else database.parent).take(handle)
    finally:
        os.close(handle)
    kept = _move_away(database, why) if there else None
    put_in_place(copy, database)
    return kept


def _check(source: Path) -> None:
    if not source.is_file():
        raise InventoryError(f"{source}: no such file; name a backup")
    with reported(source, if_damaged="name another backup"), _reading(source) as connection:
        verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if verdict != "ok":
            raise InventoryError(f"{source}: it is damaged ({verdict}); name another backup")
        if not migrate.is_inventory(connection):
            raise InventoryError(f"{source}: it is not an inventory database; name a backup")
        migrate.is_current(connection, source)


@contextmanager
def _reading(file: Path) -> Iterator[Connection]:
    engine = make_reading_engine(file)
    try:
        with engine.connect() as connection:
            yield connection
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
        raise InventoryError(f"{target}: already exists and is not overwritten; name another file") from None
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
        for companion in _COMPANIONS:
            copy.with_name(copy.name + companion).unlink(missing_ok=True)


def _move_away(database: Path, why: str) -> Path:
    kept = database.with_name(f"{database.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{why}")
    if kept.exists():
        raise InventoryError(f"{kept}: already exists; move it away, or wait a second")
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            database.with_name(database.name + companion).rename(kept.with_name(kept.name + companion))
    sync(database.parent)
    return kept
