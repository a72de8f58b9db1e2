"""Machines and boot events to rows, and rows to machines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from iluvatar_pxe.fleet.fields.names import is_layer_name
from iluvatar_pxe.inventory.window import SavedWindow
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Attempts, CleanUp, Directive, Intent, Phase, Role, Wipe
from iluvatar_pxe.wire.pxe import CpuArch

Row = dict[str, Any]
_PartT = TypeVar("_PartT", Inspection, CleanUp)
_INSPECTION, _CLEAN_UP = TypeAdapter(Inspection), TypeAdapter(CleanUp)


def machine_row(machine: Machine) -> Row:
    """Return the row of ``machines``."""
    return {
        "id": str(machine.id),
        "generation": machine.generation,
        "reached": machine.reached.label,
        "firmware": machine.firmware.value,
        "arch": machine.arch and machine.arch.value,
        "uuid": machine.uuid and str(machine.uuid),
        "serial": storable(machine.serial),
        "manufacturer": storable(machine.manufacturer),
        "product": storable(machine.product),
        "address": machine.address and str(machine.address),
        "first_seen": utc(machine.first_seen),
        "last_seen": utc(machine.last_seen),
        "furthest": machine.furthest.label,
        "board": storable(machine.board),
        "phase": machine.phase.value,
        "intent": machine.directive.intent.value,
        "intent_by": storable(machine.directive.by),
        "intent_why": storable(machine.directive.why),
        "intent_wipes": int(machine.directive.wipe),
        "conflict": storable(machine.conflict),
        "claimed": " ".join(machine.claimed),
        "apart": " ".join(machine.apart),
        "unsure": " ".join(machine.unsure),
        "inspection": _text_of(machine.inspection, _INSPECTION),
        "reported_start": storable(machine.report.start),
        "reported_boot": machine.report.boot,
        "reported_faults": storable("\n".join(machine.report.faults)),
        "reported_node": storable(machine.report.node),
        "clean_up": _text_of(machine.clean_up, _CLEAN_UP),
        "seed_boot": machine.seed.boot,
        "seed_spent": int(machine.seed.is_spent),
        **_attempts_columns(machine.attempts),
    }


def _text_of(part: _PartT | None, kind: TypeAdapter[_PartT]) -> str:
    return storable(json.dumps(kind.dump_python(part, mode="json"), ensure_ascii=False)) if part else ""


def _part_of(text: str, kind: TypeAdapter[_PartT], what: str) -> _PartT | None:
    try:
        return kind.validate_json(text) if text else None
    except ValidationError as error:
        (first, *_) = error.errors()
        raise ValueError(f"{what} is not one: {first['msg']}") from error


def _attempts_columns(attempts: Attempts) -> Row:
    return {
        "attempt_chain": storable(attempts.chain),
        "attempt_best": attempts.best.label,
        "attempt_starts": " ".join(utc(start) for start in attempts.starts),
        "attempt_boot": attempts.boot,
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
        "at": utc(event.at),
        "machine_id": str(event.machine_id),
        "generation": event.generation,
        "stage": event.stage.label if isinstance(event.stage, Stage) else event.stage.value,
        "detail": storable(event.detail),
        "bytes": event.bytes,
        "milliseconds": event.milliseconds,
        "cause": storable(event.cause),
    }


def assignment_row(machine_id: UUID, assignment: Assignment) -> Row:
    """Return the row of ``assignments``."""
    return {
        "name": storable(assignment.name),
        "layer": assignment.layer,
        "role": assignment.role.value,
        "machine_id": str(machine_id),
        "rule": storable(assignment.rule),
        "assigned_at": utc(assignment.at),
    }


def window_row(window: SavedWindow) -> Row:
    """Return the row of ``enrolment_window``."""
    return {
        "id": 1,
        "remaining": window.remaining,
        "ends_at": utc(window.ends_at),
        "opened_by": storable(window.opened_by),
    }


def boot_rows(machines: Iterable[Machine], events: Iterable[BootEvent]) -> list[Row]:
    """Return the rows of ``boots`` that the events, in their order, and then the machines tell of.

    Every event gets its boot here. A machine's own boot is among them even when its events were dropped.
    """
    boots: dict[tuple[UUID, int], tuple[datetime, datetime, Stage]] = {}
    told = [(one.machine_id, one.generation, one.at, _reached(one)) for one in events]
    told += [(one.id, one.generation, one.last_seen, one.reached) for one in machines]
    for machine_id, generation, at, stage in told:
        start, _, reached = boots.get((machine_id, generation), (at, at, stage))
        boots[machine_id, generation] = (start, at, max(reached, stage))
    return [
        {
            "machine_id": str(machine_id),
            "generation": generation,
            "started_at": utc(start),
            "last_event_at": utc(last),
            "reached": reached.label,
        }
        for (machine_id, generation), (start, last, reached) in boots.items()
    ]


def _reached(event: BootEvent) -> Stage:
    """What happens in a boot besides its stages does not bring it further."""
    return event.stage if isinstance(event.stage, Stage) else min(Stage)


def machine_of(row: Mapping[str, Any], macs: Sequence[str], assignment: Assignment | None) -> Machine:
    """Return the machine in a row of ``machines``; raises ValueError for what was never written from here."""
    return Machine(
        id=UUID(row["id"]),
        macs=tuple(macs),
        generation=int(row["generation"]),
        reached=stage_of(row["reached"]),
        furthest=stage_of(row["furthest"]),
        firmware=Firmware(row["firmware"]),
        arch=CpuArch(row["arch"]) if row["arch"] else None,
        uuid=UUID(row["uuid"]) if row["uuid"] else None,
        serial=row["serial"],
        manufacturer=row["manufacturer"],
        product=row["product"],
        board=row["board"],
        address=IPv4Address(row["address"]) if row["address"] else None,
        first_seen=moment_of(row["first_seen"]),
        last_seen=moment_of(row["last_seen"]),
        phase=Phase(row["phase"]),
        directive=Directive(
            Intent(row["intent"]), row["intent_by"], row["intent_why"], Wipe(row["intent_wipes"])
        ),
        assignment=assignment,
        attempts=_attempts_of(row),
        conflict=row["conflict"],
        claimed=tuple(row["claimed"].split()),
        apart=tuple(row["apart"].split()),
        unsure=tuple(row["unsure"].split()),
        inspection=_part_of(row["inspection"], _INSPECTION, "inspection"),
        report=Report(
            row["reported_start"],
            int(row["reported_boot"]),
            tuple(row["reported_faults"].splitlines()),
            row["reported_node"],
        ),
        clean_up=_part_of(row["clean_up"], _CLEAN_UP, "clean_up"),
        seed=Seed(int(row["seed_boot"]), bool(row["seed_spent"])),
    )


def _attempts_of(row: Mapping[str, Any]) -> Attempts:
    return Attempts(
        chain=row["attempt_chain"],
        best=stage_of(row["attempt_best"]),
        starts=tuple(moment_of(start) for start in row["attempt_starts"].split()),
        boot=int(row["attempt_boot"]),
    )


def assignment_of(row: Mapping[str, Any]) -> Assignment:
    """Return the assignment in a row of ``assignments``; raises ValueError as ``machine_of`` does."""
    return Assignment(
        name=row["name"],
        layer=layer_of(row["layer"]),
        role=Role(row["role"]),
        rule=row["rule"],
        at=moment_of(row["assigned_at"]),
    )


def window_of(row: Mapping[str, Any]) -> SavedWindow:
    """Return the window in a row of ``enrolment_window``; raises ValueError as ``machine_of`` does."""
    return SavedWindow(float(row["remaining"]), moment_of(row["ends_at"]), row["opened_by"])


def event_of(row: Mapping[str, Any]) -> BootEvent:
    """Return the event in a row of ``boot_events``; raises ValueError as ``machine_of`` does."""
    happenings = {happening.value for happening in Happening}
    return BootEvent(
        at=moment_of(row["at"]),
        machine_id=UUID(row["machine_id"]),
        generation=int(row["generation"]),
        stage=Happening(row["stage"]) if row["stage"] in happenings else stage_of(row["stage"]),
        detail=row["detail"],
        cause=row["cause"],
        bytes=int(row["bytes"]),
        milliseconds=float(row["milliseconds"]),
    )


def moment_of(text: str) -> datetime:
    """Return a time as it is written in the database; one without a zone is UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def layer_of(text: str) -> str:
    """Return a layer's name; raises ValueError when it cannot be one."""
    if not is_layer_name(text):
        raise ValueError(f"{text!r} is not a layer's name")
    return text


def stage_of(label: str) -> Stage:
    """Return the stage of this label; raises ValueError when there is none."""
    for stage in Stage:
        if stage.label == label:
            return stage
    raise ValueError(f"{label!r} is not a boot stage")


def utc(moment: datetime) -> str:
    """Return a time as it is written in the database."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def storable(text: str) -> str:
    """Return a text that can be written: SQLite takes UTF-8 only; a lone surrogate must not keep a whole batch from being written."""
    return text.encode("utf-8", "replace").decode()
