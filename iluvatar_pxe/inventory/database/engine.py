"""SQLite settings: a file, WAL, foreign keys, transactions that begin where we say."""

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteError

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from iluvatar_pxe.errors import SettingsError

_BUSY_SECONDS = 1.0
"""How long one statement waits for another program's lock; short, because a thread at it delays a stop."""


def file_url(text: str) -> URL:
    """Return the SQLAlchemy URL in ``text``; raises SettingsError when it names no SQLite file."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        raise SettingsError(
            f"database.url: {text!r} is not a SQLite file's URL; write sqlite:////path/to/inventory.db"
        )
    return url


def make_engine(url: URL) -> Engine:
    """Connections in WAL mode, with transactions that begin where SQLAlchemy says so.

    sqlite3 by itself begins none before a SELECT or DDL, which would leave half a migration behind.
    """
    return _engine(url, ("PRAGMA journal_mode = WAL", "PRAGMA foreign_keys = ON"))


def make_reading_engine(file: Path) -> Engine:
    """Connections that only read, beside a daemon that writes; the file must be there.

    While there is no log, nobody writes the file, and SQLite is told so: to read it all the same, it would make a log
    and its index beside it, for which it needs the right to write, and which the daemon could not use when they are
    root's.
    """
    query = {"mode": "ro", "uri": "true"}
    if not file.with_name(f"{file.name}-wal").exists():
        query["immutable"] = "1"
    return _engine(URL.create("sqlite", database=file.absolute().as_uri(), query=query), ())


def writing(engine: Engine, *, durably: bool = False) -> Engine:
    """Take the write lock at the start, where SQLite waits for it, and not at the first write, where it may not.

    ``durably``: what is committed is on the disk then, and not lost when the power fails. It takes an ``fsync`` more,
    and flash wears, so what may be lost for once goes without.
    """
    return engine.execution_options(begin="BEGIN IMMEDIATE", synchronous="FULL" if durably else "NORMAL")


def _engine(url: URL, pragmas: Sequence[str]) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: SqliteConnection, _record: object) -> None:
        try:
            for pragma in pragmas:
                connection.execute(pragma)
        except SqliteError:
            connection.close()  # the pool does not know it yet
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(f"PRAGMA synchronous = {options.get('synchronous', 'NORMAL')}")
        connection.exec_driver_sql(options.get("begin", "BEGIN"))

    return engine
