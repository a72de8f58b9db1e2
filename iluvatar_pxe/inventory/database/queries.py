"""What is read from the database."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Select, Table, select

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.rows import Row, assignment_of, machine_of, window_of
from iluvatar_pxe.inventory.window import SavedWindow
from iluvatar_pxe.machines.model import Machine, Snapshot

T = TypeVar("T")


class Stored(Struct, frozen=True):
    """What a database knows. ``window`` is None where there never was one: nothing has started with it yet."""

    snapshot: Snapshot
    window: SavedWindow | None


def read_stored(connection: Connection, path: Path) -> Stored:
    """Read everything but boots; raises InventoryError that names ``path`` and the row that is not understood."""
    macs: defaultdict[str, list[str]] = defaultdict(list)
    for row in _rows(connection, select(tables.interfaces).order_by(tables.interfaces.c.position)):
        macs[row["machine_id"]].append(row["mac"])
    in_force = select(tables.assignments).where(tables.assignments.c.machine_id.is_not(None))
    given = {
        row["machine_id"]: decoded(path, tables.assignments, row, assignment_of)
        for row in _rows(connection, in_force)
    }

    def machine(row: Mapping[str, Any]) -> Machine:
        return machine_of(row, macs[row["id"]], given.get(row["id"]))

    found = [
        decoded(path, tables.machines, row, machine)
        for row in _rows(connection, select(tables.machines))
        if row["id"] in macs
    ]
    windows = [
        decoded(path, tables.enrolment_window, row, window_of)
        for row in _rows(connection, select(tables.enrolment_window))
    ]
    return Stored(Snapshot.of(found), windows[0] if windows else None)


def read_names(connection: Connection) -> list[Row]:
    """Return the rows of ``assignments``, but none that is not understood: the file may be a damaged one."""
    return [dict(row) for row in _rows(connection, select(tables.assignments)) if _is_assignment(row)]


def _is_assignment(row: Mapping[str, Any]) -> bool:
    try:
        assignment_of(row)
    except (AttributeError, TypeError, ValueError):
        return False
    return isinstance(row["name"], str)


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def decoded(path: Path, table: Table, row: Mapping[str, Any], decode: Callable[[Mapping[str, Any]], T]) -> T:
    """Return what ``decode`` makes of a row; raises InventoryError that names the row when somebody changed it."""
    try:
        return decode(row)
    except (AttributeError, TypeError, ValueError) as error:
        key = "id" if "id" in row else "name"
        text = f"{path}: {table.name}, {key} {row[key]}: {error}; correct that row"
        raise InventoryError(text) from error
