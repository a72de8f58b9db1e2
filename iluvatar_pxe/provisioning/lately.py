"""What was recorded within the last second: firmware that repeats itself faster than that changes nothing at all."""

from datetime import UTC, datetime

from msgspec import Struct

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.inventory.repeats import FRESH, is_within
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Era, Machine
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


class Lately:
    """Remembers, by MAC, what was recorded under the fleet in force."""

    def __init__(self, inventory: InventoryProtocol, applied: Applied) -> None:
        self._inventory = inventory
        self._applied = applied
        self._fleet: Fleet | None = None
        self._recorded: Recent[str, _Recorded] = Recent(MOST_RECORDED)

    def find(self, decision: Decision, stage: Stage, detail: str) -> Machine | None:
        """Return the machine if the same was recorded within a second, and no machine has changed since."""
        if self._fleet is not self._applied.fleet:  # nothing keeps an earlier one in memory
            self._fleet, self._recorded = self._applied.fleet, Recent(MOST_RECORDED)
        last = self._recorded.get(decision.case.sighting.mac)
        if last is None or last.decision is not decision or last.stage is not stage or last.detail != detail:
            return None
        is_fresh = is_within(FRESH, datetime.now(UTC), last.machine.last_seen)
        return last.machine if is_fresh and last.era is self._inventory.snapshot.era else None

    def keep(self, decision: Decision, stage: Stage, detail: str, machine: Machine) -> None:
        """Remember it, if the machine is still what was decided about, and no passer-by: of those there is no end.

        Not where the sender tells an address, which another one may have told by the next time.
        """
        case = decision.case
        if case.machine is None or not machine.is_as(case.machine) or case.sighting.address:
            return
        if case.fleet is self._fleet and (case.is_of_fleet or not machine.transient):
            recorded = _Recorded(decision, stage, detail, machine, self._inventory.snapshot.era)
            self._recorded.put(case.sighting.mac, recorded)
