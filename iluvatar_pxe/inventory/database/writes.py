"""Writes to the database, inside the caller's transaction."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, delete, exists, select, update
from sqlalchemy.dialects.sqlite import Insert, insert

from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.many import execute_many
from iluvatar_pxe.inventory.database.rows import (
    Row,
    assignment_row,
    boot_rows,
    event_row,
    interface_rows,
    machine_row,
    window_row,
)
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.states import Phase

MOST_BOOTS = 100
"""Boots kept of each machine: a machine that is started daily tells of three months, in about 150 KB."""

_STAGE_ORDER = {stage.label: int(stage) for stage in Stage}


def write_batch(connection: Connection, batch: Batch, server_id: str) -> None:
    """Write a batch. The machine of every event is in it or in the database already."""
    connection.exec_driver_sql(
        "PRAGMA defer_foreign_keys = ON"
    )  # until the commit; rows move between machines
    for merge in batch.merges:
        _move_rows(connection, merge)
    _remove(connection, [*(merge.absorbed for merge in batch.merges), *batch.removals])
    machines = batch.machines.values()
    upsert(connection, tables.machines, [machine_row(one) for one in machines], server_id)
    upsert(connection, tables.interfaces, [row for one in machines for row in interface_rows(one)], server_id)
    _restore_assignments(connection, machines, server_id)
    upsert(connection, tables.boots, boot_rows(machines, batch.events), server_id)
    add_events(connection, batch.events, server_id)
    _prune(connection, machines)
    if batch.window is not None:
        upsert(connection, tables.enrolment_window, [window_row(batch.window)], server_id)


def add_events(connection: Connection, events: Iterable[BootEvent], server_id: str) -> None:
    """Add events, in their order, to boots that are there."""
    execute_many(
        connection, _inserting, tables.boot_events, [event_row(event) for event in events], server_id
    )


def upsert(connection: Connection, table: Table, rows: list[Row], server_id: str) -> None:
    """Insert rows of one shape, or update those that have the same primary key."""
    execute_many(connection, _upserting, table, rows, server_id)


def _inserting(table: Table, _columns: Collection[str]) -> Insert:
    return insert(table)


def _upserting(table: Table, columns: Collection[str]) -> Insert:
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    new: dict[str, ColumnElement[Any]] = {
        name: statement.excluded[name] for name in columns if name not in keys
    }
    if table is tables.boots:
        del new["started_at"]  # the first to tell is right: a Pi's clock may have been set back since
        new["reached"] = _later_stage(table.c.reached, statement.excluded.reached)
    return statement.on_conflict_do_update(index_elements=keys, set_=new)


def carry_over(connection: Connection, names: Iterable[Row]) -> tuple[str, ...]:
    """Write those rows of another file's ``assignments`` whose names this file lacks; return these names, sorted.

    A name is its machine's again where this file has that machine and no name for it, else nobody's, and taken.
    """
    given, machines = tables.assignments, tables.machines
    present = {(row.layer, row.name) for row in connection.execute(select(given.c.layer, given.c.name))}
    lacking = {key: row for row in names if (key := (row["layer"], row["name"])) not in present}
    named = select(given.c.machine_id).where(given.c.machine_id.is_not(None))
    nameless = set(connection.scalars(select(machines.c.id).where(machines.c.id.not_in(named))))
    server_id = connection.scalars(select(tables.local_server.c.id)).one()
    for row in lacking.values():
        owner = row["machine_id"] if row["machine_id"] in nameless else None
        nameless.discard(owner)
        connection.execute(insert(given).values(row | {"machine_id": owner, "server_id": server_id}))
        fresh = (machines.c.id == owner) & (machines.c.phase == Phase.DISCOVERED.value)
        connection.execute(update(machines).where(fresh).values(phase=Phase.ASSIGNED.value))
    return tuple(sorted(row["name"] for row in lacking.values()))


def _later_stage(old: ColumnElement[str], new: ColumnElement[str]) -> ColumnElement[str]:
    return case((case(_STAGE_ORDER, value=new) > case(_STAGE_ORDER, value=old), new), else_=old)


def _move_rows(connection: Connection, merge: Merge) -> None:
    """Give the boots of both machines their new owner and numbers; the absorbed machine's row goes later.

    ``OR REPLACE``: where the file was put in the place of another, numbers may be taken. One boot's history is worth
    less than a batch that can never be written.
    """
    absorbed, survivor = str(merge.absorbed), str(merge.survivor)
    for table in (tables.boots, tables.boot_events):
        key = table.c.generation
        current = (table.c.machine_id == survivor) & (key == merge.current)
        moves = [
            update(table).where(current).values(generation=merge.current_becomes),
            update(table)
            .where(table.c.machine_id == absorbed)
            .values(machine_id=survivor, generation=key + merge.offset),
        ]
        for move in moves:
            connection.execute(move.prefix_with("OR REPLACE"))
    given = tables.assignments
    has_one = exists(select(given.c.name).where(given.c.machine_id == survivor).correlate(None))
    inherits = update(given).where(given.c.machine_id == absorbed, ~has_one).values(machine_id=survivor)
    connection.execute(inherits)
    connection.execute(update(given).where(given.c.machine_id == absorbed).values(machine_id=None))


def _remove(connection: Connection, machine_ids: Sequence[UUID]) -> None:
    """Remove machines and all that is theirs but their names.

    Nothing is left to ``ON DELETE``: rows may have been moved to a machine that was never written.
    """
    if not machine_ids:
        return
    gone = [{"gone": str(machine_id)} for machine_id in machine_ids]
    for table in (tables.boot_events, tables.boots, tables.interfaces):
        connection.execute(delete(table).where(table.c.machine_id == bindparam("gone")), gone)
    given, machines = tables.assignments, tables.machines
    connection.execute(
        update(given).where(given.c.machine_id == bindparam("gone")).values(machine_id=None), gone
    )
    connection.execute(delete(machines).where(machines.c.id == bindparam("gone")), gone)


def _restore_assignments(connection: Connection, machines: Iterable[Machine], server_id: str) -> None:
    """Write those that the file lacks, because it was put in the place of another; the assigner wrote all others."""
    rows = [assignment_row(one.id, one.assignment) for one in machines if one.assignment]
    if not rows:
        return
    statement = insert(tables.assignments).on_conflict_do_nothing()
    connection.execute(statement, [row | {"server_id": server_id} for row in rows])


def _prune(connection: Connection, machines: Iterable[Machine]) -> None:
    old = [
        {"owner": str(one.id), "last": one.generation - MOST_BOOTS}
        for one in machines
        if one.generation > MOST_BOOTS
    ]
    if old:
        boots = tables.boots.c
        statement = delete(tables.boots).where(
            boots.machine_id == bindparam("owner"), boots.generation <= bindparam("last")
        )
        connection.execute(statement, old)
