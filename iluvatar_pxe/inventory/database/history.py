"""A machine's last boots, stage by stage, read from the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Connection, select

from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.queries import decoded
from iluvatar_pxe.inventory.database.rows import event_of, moment_of, stage_of
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent


class BootRecord(Struct, frozen=True):
    """One boot: its number, when it began, how far it came, and its events in their order."""

    generation: int
    started: datetime
    reached: Stage
    events: tuple[BootEvent, ...]


def read_boots(connection: Connection, path: Path, machine_id: UUID, most: int) -> tuple[BootRecord, ...]:
    """Return a machine's last boots, ``most`` at most, the latest first; none for a machine that is not known."""
    boots, happened = tables.boots.c, tables.boot_events.c
    latest = (
        select(tables.boots)
        .where(boots.machine_id == str(machine_id))
        .order_by(boots.generation.desc())
        .limit(most)
    )
    rows = [dict(row) for row in connection.execute(latest).mappings()]
    numbers = [row["generation"] for row in rows]
    recorded = (
        select(tables.boot_events)
        .where(happened.machine_id == str(machine_id), happened.generation.in_(numbers))
        .order_by(happened.id)
    )
    events: defaultdict[int, list[BootEvent]] = defaultdict(list)
    for row in connection.execute(recorded).mappings():
        event = decoded(path, tables.boot_events, dict(row), event_of)
        events[event.generation].append(event)

    def record(row: Mapping[str, Any]) -> BootRecord:
        return _record(row, events[row["generation"]])

    return tuple(decoded(path, tables.boots, row, record) for row in rows)


def _record(row: Mapping[str, Any], events: Sequence[BootEvent]) -> BootRecord:
    return BootRecord(
        generation=row["generation"],
        started=moment_of(row["started_at"]),
        reached=stage_of(row["reached"]),
        events=tuple(events),
    )
