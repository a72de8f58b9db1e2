"""How this project speaks to SQLite: a file, WAL, foreign keys, transactions that begin where we say."""

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
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: SqliteConnection, _record: object) -> None:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except SqliteError:
            connection.close()  # the pool does not know it yet
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def writing(engine: Engine) -> Engine:
    """Take the write lock at the start, where SQLite waits for it, and not at the first write, where it may not."""
    return engine.execution_options(begin="BEGIN IMMEDIATE")
