"""Predicts a machine's next boot, from its firmware's first request to its last script."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.boot.assign import Reservation, Taken, taken_by
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


@dataclass(frozen=True)
class Holders:
    """Who holds which place: machines, and those that are no more, whose names stay taken.

    It is counted when a place is first to be chosen, and once for all machines.
    """

    snapshot: Snapshot
    fleet: Fleet
    retired: Sequence[Reservation] = ()

    @cached_property
    def taken(self) -> Taken:
        """What they hold."""
        return Taken(self.fleet, [*taken_by(self.snapshot.by_id.values()), *self.retired])


def next_boot(
    sighting: Sighting,
    snapshot: Snapshot,
    fleet: Fleet,
    context: Context,
    holders: Holders | None = None,
) -> tuple[PreviewStep, ...]:
    """Return every decision of a boot without a key press, with every permission granted.

    The last one has the plan that it comes to. ``sighting`` is of the machine's own firmware, but with everything
    that its iPXE tells, as far as that is known. ``holders`` of this snapshot and fleet serve any number of machines.
    """
    holders = holders or Holders(snapshot, fleet)
    if sighting.firmware is Firmware.RASPBERRY_PI:
        return tuple(_to_the_end(sighting, snapshot, fleet, context, holders))
    known = machine_with(sighting.mac, snapshot, fleet)
    asking = replace(sighting, firmware=Firmware.IPXE, macs=known.macs if known else (sighting.mac,))
    if sighting.firmware is Firmware.IPXE:
        return tuple(_to_the_end(asking, snapshot, fleet, context, holders))
    first = PreviewStep(decide(sighting, snapshot, fleet, context))
    if not isinstance(first.decision.plan, Chainload):
        return (first,)
    snapshot = _with_sighted(snapshot, sighting, fleet)
    return (first, *_to_the_end(asking, snapshot, fleet, context, holders))


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
    sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context, holders: Holders
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
            own = decision.case.machine
            given = holders.taken.assignment(decision.plan.place, own.id if own else None, _AT)
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
