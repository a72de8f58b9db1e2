"""The fleet's applied and refused commits, read from the database."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, or_, select

from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.commits import CommitRecord
from iluvatar_pxe.inventory.database.queries import decoded
from iluvatar_pxe.inventory.database.rows import moment_of

_NEWEST = 2**63 - 1
"""SQLite has no larger number (sqlite.org/datatype3.html)."""


class PastCommit(Struct, frozen=True):
    """A commit as it was recorded. ``record`` has the first of its changes, ``changed`` says how many are kept.

    ``number`` counts up: of two, the one that was recorded later has the higher one.
    """

    number: int
    record: CommitRecord
    changed: int


def read_commits(
    connection: Connection, path: Path, *, before: int | None, most: int, most_changes: int
) -> tuple[PastCommit, ...]:
    """Return the last commits recorded before a number, the latest first, each with its first changes.

    What a start of the daemon has recorded again, with nothing else in between, is left out. Raises InventoryError that
    names ``path`` and the row that is not understood.
    """
    columns = tables.commits.c
    previous = [
        func.lag(column).over(order_by=columns.id).label(f"previous_{column.name}")
        for column in (columns.commit_id, columns.problem)
    ]
    every = select(tables.commits, *previous).subquery()
    is_news = or_(
        every.c.previous_commit_id.is_(None),
        every.c.previous_commit_id != every.c.commit_id,
        every.c.previous_problem != every.c.problem,
    )
    earlier = every.c.id < min(_NEWEST if before is None else before, _NEWEST)
    query = select(every).where(is_news, earlier).order_by(every.c.id.desc()).limit(most)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return tuple(_past(connection, path, row, most_changes) for row in rows)


def _past(connection: Connection, path: Path, row: Mapping[str, Any], most_changes: int) -> PastCommit:
    columns = tables.commit_changes.c
    of_commit = columns.commit_row == row["id"]
    changed = connection.scalars(select(func.count()).where(of_commit)).one()
    query = select(columns.machine, columns.change).where(of_commit).order_by(columns.id).limit(most_changes)
    changes = tuple((machine, change) for machine, change in connection.execute(query))

    def record(row: Mapping[str, Any]) -> CommitRecord:
        return CommitRecord(
            commit_id=row["commit_id"],
            at=moment_of(row["at"]),
            author=row["author"],
            committed_at=row["committed_at"],
            subject=row["subject"],
            problem=row["problem"],
            rewritten=bool(row["rewritten"]),
            changes=changes,
        )

    return PastCommit(row["id"], decoded(path, tables.commits, row, record), changed)
