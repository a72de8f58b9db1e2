"""The fleet's applied and refused commits, and what they changed: written for people; nothing is decided by it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, delete, select

from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.rows import storable, utc

MOST_COMMITS = 1000
"""Kept; older ones are in the repository's own history."""
MOST_CHANGES = 1000
"""Machines of one commit whose changes are kept; a fleet may list ten times as many."""


class CommitRecord(Struct, frozen=True, kw_only=True):
    """One commit that was applied, or refused because of ``problem``. ``changes`` are machines and what changes for them.

    ``rewritten``: it is not a descendant of the commit applied before.
    """

    commit_id: str
    at: datetime
    author: str
    committed_at: str
    subject: str
    problem: str = ""
    rewritten: bool = False
    changes: Sequence[tuple[str, str]] = ()


def write_commit(connection: Connection, record: CommitRecord, server_id: str) -> None:
    """Write one commit and its changes; the oldest ones go."""
    row = {
        "commit_id": record.commit_id,
        "at": utc(record.at),
        "outcome": "refused" if record.problem else "in force",
        "author": storable(record.author),
        "committed_at": storable(record.committed_at),
        "subject": storable(record.subject),
        "problem": storable(record.problem),
        "rewritten": record.rewritten,
        "server_id": server_id,
    }
    number = connection.scalars(tables.commits.insert().returning(tables.commits.c.id), [row]).one()
    changes = [
        {"commit_row": number, "machine": storable(machine), "change": storable(text), "server_id": server_id}
        for machine, text in record.changes[:MOST_CHANGES]
    ]
    if changes:
        connection.execute(tables.commit_changes.insert(), changes)
    kept = select(tables.commits.c.id).order_by(tables.commits.c.id.desc()).limit(MOST_COMMITS)
    connection.execute(delete(tables.commits).where(tables.commits.c.id.not_in(kept)))
