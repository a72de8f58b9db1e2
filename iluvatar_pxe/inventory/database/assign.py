"""Assigns a machine its name and role exactly once, despite crashes and concurrent writers.

The file decides, not memory: one transaction, which has the write lock from its beginning, reads every name that
was ever given, chooses, and writes. So there is nothing between two statements in which a kill, another task or another
process could give the same name.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Connection, select, update

from iluvatar_pxe.boot.assign import PlaceRequest, Reservation, assignment_for
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.queries import decoded
from iluvatar_pxe.inventory.database.rows import assignment_of, assignment_row, layer_of
from iluvatar_pxe.inventory.database.writes import add_events, upsert
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.model import BootEvent
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.values import replace


class Request(Struct, frozen=True, kw_only=True):
    """The assignment to make; ``generation`` is the boot in which that happens."""

    machine_id: UUID
    generation: int
    place: PlaceRequest
    fleet: Fleet
    now: datetime


def assign(connection: Connection, request: Request, path: Path, server_id: str) -> Assignment:
    """Return the machine's assignment, after writing it where there was none; raises InventoryError.

    What a machine was assigned stays, unless ``place`` names another name, layer or role: the fleet beats
    what was assigned by itself. The name that it then had is nobody's, and stays taken like that of a forgotten
    machine: a member of a cluster may still go by it. Only ``reuseNames`` frees it.
    """
    rows = [dict(row) for row in connection.execute(select(tables.assignments)).mappings()]
    taken = [decoded(path, tables.assignments, row, _taken) for row in rows]
    own = next((row for row in rows if row["machine_id"] == str(request.machine_id)), None)
    current = decoded(path, tables.assignments, own, assignment_of) if own else None
    if current and _satisfies(current, request.place):
        return current
    others = [one for one in taken if one.machine_id != request.machine_id]
    place = _filled(request.place, current)
    assignment = assignment_for(place, request.fleet, others + _left(current, place), request.now)
    _refuse_double(connection, assignment, others, path)
    _write(connection, request, assignment, server_id)
    return assignment


def read_retired(connection: Connection, path: Path) -> list[Reservation]:
    """Return retired assignments; raises InventoryError."""
    given = tables.assignments
    rows = connection.execute(select(given).where(given.c.machine_id.is_(None))).mappings()
    return [decoded(path, given, dict(row), _taken) for row in rows]


def retire(connection: Connection, machine_ids: Collection[UUID]) -> None:
    """Make the names of machines nobody's."""
    given = tables.assignments
    for machine_id in machine_ids:
        connection.execute(update(given).where(given.c.machine_id == str(machine_id)).values(machine_id=None))


def told(assignment: Assignment) -> str:
    """Return an assignment in the words of its event."""
    return f"{assignment.name}, {assignment.role}"


def _taken(row: Mapping[str, Any]) -> Reservation:
    return Reservation(
        name=row["name"],
        layer=layer_of(row["layer"]),
        role=Role(row["role"]),
        machine_id=UUID(row["machine_id"]) if row["machine_id"] else None,
    )


def _satisfies(current: Assignment, place: PlaceRequest) -> bool:
    same_name, same_role = place.name in {None, current.name}, place.role in {None, current.role}
    return current.layer == place.layer and same_name and same_role


def _filled(place: PlaceRequest, current: Assignment | None) -> PlaceRequest:
    """What a place leaves open stays as it is, within one layer."""
    if current is None or current.layer != place.layer:
        return place
    return replace(place, name=place.name or current.name, role=place.role or current.role)


def _left(current: Assignment | None, place: PlaceRequest) -> list[Reservation]:
    """Return the name that the machine leaves behind, if it leaves one."""
    if current is None or (current.layer, current.name) == (place.layer, place.name):
        return []
    return [Reservation.of(current, None)]


def _refuse_double(connection: Connection, given: Assignment, others: list[Reservation], path: Path) -> None:
    holder = next(
        (one.machine_id for one in others if (one.layer, one.name) == (given.layer, given.name)), None
    )
    if holder is None:
        return
    cards = tables.interfaces.c
    mac = connection.scalar(
        select(cards.mac).where(cards.machine_id == str(holder)).order_by(cards.position).limit(1)
    )
    raise InventoryError(
        f"{path}: {given.name} of {given.layer} is already the name of machine {mac or holder}; "
        f"choose another name, or first run: iluvatar-pxe machines forget {mac or holder}"
    )


def _write(connection: Connection, request: Request, assignment: Assignment, server_id: str) -> None:
    """Write the assignment, and with it what else becomes true."""
    machine_id = str(request.machine_id)
    given, machines = tables.assignments, tables.machines
    connection.execute(update(given).where(given.c.machine_id == machine_id).values(machine_id=None))
    upsert(connection, given, [assignment_row(request.machine_id, assignment)], server_id)
    fresh = (machines.c.id == machine_id) & (machines.c.phase == Phase.DISCOVERED.value)
    connection.execute(update(machines).where(fresh).values(phase=Phase.ASSIGNED.value))
    event = BootEvent(
        at=request.now,
        machine_id=request.machine_id,
        generation=request.generation,
        stage=Happening.ASSIGNED,
        detail=told(assignment),
        cause=assignment.rule,
    )
    add_events(connection, [event], server_id)
