"""Sightings that tell nothing new: firmware and iPXE ask the same again and again while they wait."""

from datetime import datetime, timedelta

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Listed, Machine, Snapshot
from iluvatar_pxe.machines.sighting import Sighting

FRESH = timedelta(seconds=1)
"""How exactly it is known when a machine was last seen: asked more often, it is not told more often."""
SOON = timedelta(seconds=10)
"""A machine that is heard of again within that time is no news, neither to who looks nor for the database."""
MOST_REPEATS = 8192
"""Sightings remembered; the one that was not told for longest goes first, and is looked at anew."""


class Repeats:
    """Remembers sightings by which a machine was found to be as it was known, but for when it was seen."""

    def __init__(self) -> None:
        self._known: Recent[tuple[str, Stage], tuple[Sighting, bool, Machine]] = Recent(MOST_REPEATS)

    def find(
        self, sighting: Sighting, stage: Stage, snapshot: Snapshot, listed: Listed, *, vouched: bool
    ) -> Machine | None:
        """Return the machine that a sighting is of, if it tells nothing new; None where that is to be found out."""
        last = self._known.get((sighting.mac, stage))
        if last is None or last[:2] != (sighting, vouched):
            return None
        machine = snapshot.machine(sighting.mac, listed.macs)
        if machine is not last[2] or (vouched and not _is_alone(machine, sighting, snapshot, listed)):
            return None
        return machine

    def keep(
        self, sighting: Sighting, stage: Stage, machine: Machine, listed: Listed, *, vouched: bool
    ) -> None:
        """Remember that the sighting tells nothing new of the machine as it is now; of invented ones there is no end."""
        if listed.macs or not machine.transient:
            self._known.put((sighting.mac, stage), (sighting, vouched, machine))


def _is_alone(machine: Machine, sighting: Sighting, snapshot: Snapshot, listed: Listed) -> bool:
    """Say whether no other machine might turn out to be the one that speaks."""
    if not sighting.macs:
        return True
    owners = (snapshot.owners.get(mac, machine.id) for mac in (*sighting.macs, *listed.macs))
    return all(one == machine.id for one in owners) and snapshot.ids_with(sighting) <= {machine.id}


def is_within(span: timedelta, one: datetime, other: datetime) -> bool:
    """Say whether two times, by a clock that may have been set between them, are so close."""
    return abs(one - other) < span
