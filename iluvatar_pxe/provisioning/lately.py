"""What was recorded lately: where firmware repeats itself, nothing is new but when it was seen, and that once in a second."""

from datetime import UTC, datetime

from msgspec import Struct

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import listed_with
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.inventory.repeats import FRESH, is_within
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Era, Listed, Machine
from iluvatar_pxe.provisioning.applied import Applied

MOST_RECORDED = 4096
"""MACs remembered; the one that was recorded longest ago goes first."""


class _Recorded(Struct, frozen=True):
    decision: Decision
    stage: Stage
    detail: str
    machine: Machine
    era: Era
    """Of the snapshot, see ``Snapshot.era``."""
    listed: Listed


class Lately:
    """Remembers, by MAC, what was recorded under the fleet in force."""

    def __init__(self, inventory: InventoryProtocol, applied: Applied) -> None:
        self._inventory = inventory
        self._applied = applied
        self._fleet: Fleet | None = None
        self._recorded: Recent[str, _Recorded] = Recent(MOST_RECORDED)

    def find(self, decision: Decision, stage: Stage, detail: str) -> Machine | None:
        """Return the machine if the same was recorded, and no machine has changed since; it is seen once in a second."""
        if self._fleet is not self._applied.fleet:  # nothing keeps an earlier one in memory
            self._fleet, self._recorded = self._applied.fleet, Recent(MOST_RECORDED)
        last = self._recorded.get(decision.case.sighting.mac)
        if last is None or last.decision is not decision or last.stage is not stage or last.detail != detail:
            return None
        if last.era is not self._inventory.snapshot.era:
            return None
        if is_within(FRESH, datetime.now(UTC), last.machine.last_seen):
            return last.machine
        return self._hear(last)

    def keep(self, decision: Decision, stage: Stage, detail: str, machine: Machine) -> None:
        """Remember it, if the machine is still what was decided about, and no passer-by: of those there is no end.

        Not where the sender tells an address, which another one may have told by the next time.
        """
        case = decision.case
        if case.machine is None or not machine.is_as(case.machine) or case.sighting.address:
            return
        if case.fleet is self._fleet and (case.is_of_fleet or not machine.transient):
            era, listed = self._inventory.snapshot.era, listed_with(case.sighting.mac, case.fleet)
            recorded = _Recorded(decision, stage, detail, machine, era, listed)
            self._recorded.put(case.sighting.mac, recorded)

    def _hear(self, last: _Recorded) -> Machine:
        """Take in that a machine was seen again."""
        sighting = last.decision.case.sighting
        machine = self._inventory.hear(last.machine.id, sighting, last.stage, last.listed)
        recorded = _Recorded(last.decision, last.stage, last.detail, machine, last.era, last.listed)
        self._recorded.put(sighting.mac, recorded)
        return machine
