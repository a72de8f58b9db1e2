"""Machines and boot events to rows, and rows to machines."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch

Row = dict[str, Any]


def machine_row(machine: Machine) -> Row:
    """Return the row of ``machines``."""
    return {
        "id": str(machine.id),
        "generation": machine.generation,
        "reached": machine.reached.label,
        "firmware": machine.firmware.value,
        "arch": machine.arch and machine.arch.value,
        "uuid": machine.uuid and str(machine.uuid),
        "serial": _storable(machine.serial),
        "manufacturer": _storable(machine.manufacturer),
        "product": _storable(machine.product),
        "address": machine.address and str(machine.address),
        "first_seen": _utc(machine.first_seen),
        "last_seen": _utc(machine.last_seen),
    }


def interface_rows(machine: Machine) -> list[Row]:
    """Return the rows of ``interfaces``."""
    return [
        {"mac": mac, "machine_id": str(machine.id), "position": position}
        for position, mac in enumerate(machine.macs)
    ]


def event_row(event: BootEvent) -> Row:
    """Return the row of ``boot_events``."""
    return {
        "at": _utc(event.at),
        "machine_id": str(event.machine_id),
        "generation": event.generation,
        "stage": event.stage.label,
        "detail": _storable(event.detail),
        "bytes": event.bytes,
        "milliseconds": event.milliseconds,
    }


def boot_rows(machines: Iterable[Machine], events: Iterable[BootEvent]) -> list[Row]:
    """Return the rows of ``boots`` that the events, in their order, and then the machines tell of.

    Every event gets its boot here. A machine's own boot is among them even when its events were dropped.
    """
    boots: dict[tuple[UUID, int], tuple[datetime, datetime, Stage]] = {}
    told = [(event.machine_id, event.generation, event.at, event.stage) for event in events]
    told += [(machine.id, machine.generation, machine.last_seen, machine.reached) for machine in machines]
    for machine_id, generation, at, stage in told:
        start, _, reached = boots.get((machine_id, generation), (at, at, stage))
        boots[machine_id, generation] = (start, at, max(reached, stage))
    return [
        {
            "machine_id": str(machine_id),
            "generation": generation,
            "started_at": _utc(start),
            "last_event_at": _utc(last),
            "reached": reached.label,
        }
        for (machine_id, generation), (start, last, reached) in boots.items()
    ]


def machine_of(row: Mapping[str, Any], macs: Sequence[str]) -> Machine:
    """Return the machine in a row of ``machines``; raises ValueError for what was never written from here."""
    return Machine(
        id=UUID(row["id"]),
        macs=tuple(macs),
        generation=int(row["generation"]),
        reached=_stage(row["reached"]),
        firmware=Firmware(row["firmware"]),
        arch=CpuArch(row["arch"]) if row["arch"] else None,
        uuid=UUID(row["uuid"]) if row["uuid"] else None,
        serial=row["serial"],
        manufacturer=row["manufacturer"],
        product=row["product"],
        address=IPv4Address(row["address"]) if row["address"] else None,
        first_seen=datetime.fromisoformat(row["first_seen"]).replace(tzinfo=UTC),
        last_seen=datetime.fromisoformat(row["last_seen"]).replace(tzinfo=UTC),
    )


def _stage(label: str) -> Stage:
    for stage in Stage:
        if stage.label == label:
            return stage
    raise ValueError(f"{label!r} is not a boot stage")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _storable(text: str) -> str:
    """SQLite takes UTF-8 only; a lone surrogate must not keep a whole batch from being written."""
    return text.encode("utf-8", "replace").decode()
