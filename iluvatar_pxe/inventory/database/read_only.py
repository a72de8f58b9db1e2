"""The database opened for reading only, beside a daemon that writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.errors import InventoryError, NoInventoryError
from iluvatar_pxe.inventory.database import migrate
from iluvatar_pxe.inventory.database.assign import read_retired
from iluvatar_pxe.inventory.database.engine import file_url, make_reading_engine
from iluvatar_pxe.inventory.database.failures import reported
from iluvatar_pxe.inventory.database.fleet_history import PastCommit, read_commits
from iluvatar_pxe.inventory.database.history import BootRecord, read_boots
from iluvatar_pxe.inventory.database.queries import Stored, read_stored


def read_only(url: str) -> Stored:
    """Return the snapshot and the enrolment window as recorded; raises InventoryError, SettingsError.

    Where there is none yet, that is NoInventoryError. A daemon's recording lags by a fraction of a second. Blocks.
    """
    with _reading(url) as (connection, path):
        return read_stored(connection, path)


def last_boots(url: str, machine_id: UUID, most: int = 10) -> tuple[BootRecord, ...]:
    """Return a machine's last boots, the latest first, as ``history.read_boots`` does; raises as ``read_only``."""
    with _reading(url) as (connection, path):
        return read_boots(connection, path, machine_id, most)


def past_commits(url: str, *, before: int | None, most: int, most_changes: int) -> tuple[PastCommit, ...]:
    """Return the fleet's last commits as ``fleet_history.read_commits`` does; raises as ``read_only``."""
    with _reading(url) as (connection, path):
        return read_commits(connection, path, before=before, most=most, most_changes=most_changes)


def retired_names(url: str) -> list[Reservation]:
    """Return the retired names, which stay taken; raises as ``read_only``."""
    with _reading(url) as (connection, path):
        return read_retired(connection, path)


@contextmanager
def _reading(url: str) -> Iterator[tuple[Connection, Path]]:
    path = Path((file_url(url).database or "").removeprefix("file:"))
    try:
        path.stat()
    except FileNotFoundError as error:
        text = f"{path}: no inventory yet; start the daemon, which creates it"
        raise NoInventoryError(text) from error
    except OSError as error:
        raise InventoryError(f"{path}: cannot be read: {error.strerror}; try it with sudo") from error
    engine = make_reading_engine(path)
    try:
        with reported(path), engine.connect() as connection:
            if not migrate.is_current(connection, path):
                raise InventoryError(
                    f"{path}: written by an older iluvatar-pxe; first: iluvatar-pxe db upgrade"
                )
            yield connection, path
    finally:
        engine.dispose()
