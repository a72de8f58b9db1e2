"""What was decided of machines whose iPXE asks again and again, while nothing is new."""

from iluvatar_pxe.boot.basis import Basis
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Sighting

MOST_DECISIONS = 1024
"""Remembered at once; the one made longest ago goes first."""


class Decisions:
    """Decides, and remembers what came of it for as long as it holds: one decision of each MAC, by the fleet in force."""

    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._last: Recent[str, Decision] = Recent(MOST_DECISIONS)

    def __len__(self) -> int:
        """Return how many decisions are remembered."""
        return len(self._last)

    def decide(self, sighting: Sighting, snapshot: Snapshot, basis: Basis) -> Decision:
        """Return what ``boot.decide`` does; ``basis`` is that of the sighting's MAC now."""
        decision = self.find(sighting, basis)
        if decision is None:
            decision = decide(sighting, snapshot, basis.fleet, basis.context)
            self._last.put(sighting.mac, decision)
        return decision

    def find(self, sighting: Sighting, basis: Basis) -> Decision | None:
        """Return what was decided before, of the machine as it is now, where that holds; else None."""
        if basis.fleet is not self._fleet:  # nothing keeps an earlier one in memory
            self._fleet, self._last = basis.fleet, Recent(MOST_DECISIONS)
        last = self._last.get(sighting.mac)
        if last is None or last.case.sighting != sighting or not basis.holds(last):
            return None
        decision = basis.renewed(last)
        if decision is not last:
            self._last.put(sighting.mac, decision)
        return decision
