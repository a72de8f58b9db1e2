"""One statement for many rows, compiled once: SQLAlchemy takes longer over each row's parameters than SQLite to write it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import Insert, dialect

from iluvatar_pxe.inventory.database.rows import Row

Making = Callable[[Table, Sequence[str]], Insert]
"""Returns the statement for a table and the names of the columns that are written."""


class _Compiled(NamedTuple):
    text: str
    fixed: Mapping[str, object]
    """Parameters that are the same for every row."""
    values: Callable[[Row], tuple[object, ...]]
    """Returns a row's parameters in the statement's order."""


def execute_many(
    connection: Connection, making: Making, table: Table, rows: Sequence[Row], server_id: str
) -> None:
    """Execute the statement that ``making`` returns with rows of one shape, each of this server; columns are text or numbers."""
    if not rows:
        return
    text, fixed, values = _compiled(making, table, (*rows[0], "server_id"))
    same = {**fixed, "server_id": server_id}
    connection.exec_driver_sql(text, [values(row | same) for row in rows])


@cache
def _compiled(making: Making, table: Table, columns: tuple[str, ...]) -> _Compiled:
    """Return a statement with its parameters by position, as sqlite3 takes them."""
    compiled = making(table, columns).compile(dialect=dialect(), column_keys=list(columns))
    names: Any = compiled.positiontup
    fixed = {name: compiled.params[name] for name in names if name not in columns}
    return _Compiled(str(compiled), fixed, itemgetter(*names))
