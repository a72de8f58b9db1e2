"""The inventory's SQLite file."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, select

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database import files, migrate, tables
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.engine import file_url, make_engine, make_reading_engine, writing
from iluvatar_pxe.inventory.database.failures import reported
from iluvatar_pxe.inventory.database.queries import Stored, read_stored
from iluvatar_pxe.inventory.database.writes import write_batch

T = TypeVar("T")


class Store:
    """Reads and writes one SQLite file. Methods block, so they belong in a thread, one call at a time.

    Errors are InventoryError: one line naming the file, the cause and the remedy. After one, ``open`` may be
    called again. A damaged file is never moved or deleted.
    """

    def __init__(self, url: str) -> None:
        """Take a SQLAlchemy URL and touch nothing yet; raises SettingsError when it names no SQLite file."""
        self._url = file_url(url)
        self._engine: Engine | None = None
        self._server_id = ""
        self.path = Path((self._url.database or "").removeprefix("file:"))

    @property
    def server_id(self) -> str:
        """This server's UUID, made with the database and kept in it.

        Not beside it: the id then is there exactly when rows can be written, it cannot be lost apart from them,
        and a Pi that is replaced by restoring its database goes on as the same server.
        """
        return self._server_id

    def open(self) -> None:
        """Create the directory and the file if need be, and bring the tables up to date."""
        self.close()
        with reported(self.path):
            files.create(self.path)
            self._engine = engine = make_engine(self._url)
            with engine.connect() as connection:
                current = migrate.is_current(connection, self.path)
            if not current:
                migrate.upgrade(engine)
            with engine.connect() as connection:
                self._server_id = connection.scalars(select(tables.local_server.c.id)).one()

    def peek(self) -> Stored:
        """Return what ``load`` does of a file that cannot be written, which need not be open."""
        engine = make_reading_engine(self.path)
        try:
            with reported(self.path), engine.connect() as connection:
                migrate.is_current(connection, self.path)
                return read_stored(connection, self.path)
        finally:
            engine.dispose()

    def load(self) -> Stored:
        """Return all machines, and the enrolment window."""
        with reported(self.path), self._opened().connect() as connection:
            return read_stored(connection, self.path)

    def write(self, batch: Batch, *, durably: bool = False) -> None:
        """Write a batch, all or nothing; ``durably``: so that no loss of power undoes it."""
        self.write_with(batch, lambda _: None, durably=durably)

    def write_with(self, batch: Batch, work: Callable[[Connection], T], *, durably: bool = True) -> T:
        """Write a batch and then run ``work``, in one transaction that has the write lock from its beginning."""
        with reported(self.path), writing(self._opened(), durably=durably).begin() as connection:
            write_batch(connection, batch, self._server_id)
            return work(connection)

    def close(self) -> None:
        """Close the file; harmless when it is not open."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _opened(self) -> Engine:
        if self._engine is None:
            raise InventoryError(f"{self.path}: not open; open it first")
        return self._engine
