"""Predicts a machine's next boot, from its firmware's first request to its last script."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.boot.assign import Reservation, assignment_for, taken_by
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.chains.menu import OWN
from iluvatar_pxe.boot.chains.talos import asset_names
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.boot.plan import AssignFirst, Chainload, CountDown, ShowMenu
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import machine_with
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.observe import Step, first_seen
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment
from iluvatar_pxe.values import replace

_NOBODY = UUID(int=0)
_AT = datetime(1970, 1, 1, tzinfo=UTC)
"""When a machine would be seen and get its place; nothing that it boots depends on it."""


class PreviewStep(Struct, frozen=True):
    """One decision of a boot; ``given`` is what an AssignFirst among them would probably assign."""

    decision: Decision
    given: Assignment | None = None


def next_boot(
    sighting: Sighting,
    snapshot: Snapshot,
    fleet: Fleet,
    context: Context,
    retired: Sequence[Reservation] = (),
) -> tuple[PreviewStep, ...]:
    """Return every decision of a boot without a key press, with every permission granted.

    The last one has the plan that it comes to. ``sighting`` is of the machine's own firmware, but with everything
    that its iPXE tells, as far as that is known. ``retired`` are names that are nobody's and stay taken, as those of forgotten machines.
    """
    if sighting.firmware is Firmware.RASPBERRY_PI:
        return tuple(_to_the_end(sighting, snapshot, fleet, context, retired))
    known = machine_with(sighting.mac, snapshot, fleet)
    asking = replace(sighting, firmware=Firmware.IPXE, macs=known.macs if known else (sighting.mac,))
    if sighting.firmware is Firmware.IPXE:
        return tuple(_to_the_end(asking, snapshot, fleet, context, retired))
    first = PreviewStep(decide(sighting, snapshot, fleet, context))
    if not isinstance(first.decision.plan, Chainload):
        return (first,)
    snapshot = _with_sighted(snapshot, sighting, fleet)
    return (first, *_to_the_end(asking, snapshot, fleet, context, retired))


def with_boot_files(decision: Decision) -> Decision:
    """Decide once more, as if every boot file of its layer were there."""
    case = decision.case
    layer = case.fleet.talos(case.layer)
    if layer is None:
        return decision
    names = {name for arch in ("amd64", "arm64") for name in asset_names(layer.talos, arch)}
    context = replace(case.context, ready=case.context.ready | names)
    snapshot = Snapshot.of([case.machine] if case.machine else [])
    return decide(case.sighting, snapshot, case.fleet, context)


def _to_the_end(
    sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context, retired: Sequence[Reservation]
) -> Iterator[PreviewStep]:
    while True:
        decision = decide(sighting, snapshot, fleet, context)
        if isinstance(decision.plan, CountDown):
            yield PreviewStep(decision)
            context = replace(context, confirmed=True)
        elif isinstance(decision.plan, ShowMenu):
            yield PreviewStep(decision)
            sighting = replace(sighting, choice=OWN)
        elif isinstance(decision.plan, AssignFirst):
            others = taken_by(one for one in snapshot.by_id.values() if sighting.mac not in one.macs)
            given = assignment_for(decision.plan.place, fleet, [*others, *retired], _AT)
            yield PreviewStep(decision, given)
            snapshot = _with_sighted(snapshot, sighting, fleet, given)
        else:
            yield PreviewStep(decision)
            return


def _with_sighted(
    snapshot: Snapshot, sighting: Sighting, fleet: Fleet, given: Assignment | None = None
) -> Snapshot:
    """Put the machine that was seen into the snapshot, with the firmware that it asks by and a place, if any."""
    known = machine_with(sighting.mac, snapshot, fleet)
    machine = known or first_seen(sighting, Step(Stage.DISCOVER, _AT), _NOBODY)
    macs = tuple(dict.fromkeys((*machine.macs, sighting.mac)))
    firmware = machine.firmware if sighting.firmware is Firmware.IPXE else sighting.firmware
    arch = sighting.arch or machine.arch
    given = given or machine.assignment
    return snapshot.with_machine(replace(machine, macs=macs, firmware=firmware, arch=arch, assignment=given))
