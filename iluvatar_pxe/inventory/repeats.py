"""Sightings that tell nothing new: firmware and iPXE ask the same again and again while they wait."""

from datetime import datetime, timedelta
from typing import NamedTuple

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


_NEVER = -1


class _Repeat(NamedTuple):
    sighting: Sighting
    machine: Machine
    listed: tuple[str, ...]
    """MACs that the fleet lists together with the sighting's."""
    era: int
    """In which nobody else turned out to be the one that speaks; ``_NEVER`` where that was not looked at."""
    vouched: bool


class Repeats:
    """Remembers sightings by which a machine was found to be as it was known, but for when it was seen."""

    def __init__(self) -> None:
        self._known: Recent[tuple[str, Stage], _Repeat] = Recent(MOST_REPEATS)
        self._owners, self._twins = Snapshot().owners, Snapshot().twins
        self._era = 0
        """Counts how often MACs or hardware came to be of other machines."""

    def find(
        self, sighting: Sighting, stage: Stage, snapshot: Snapshot, listed: Listed, *, vouched: bool
    ) -> Machine | None:
        """Return the machine that a sighting is of, if it tells nothing new; None where that is to be found out."""
        last = self._known.get((sighting.mac, stage))
        if last is None or last.vouched != vouched or last.sighting != sighting:
            return None
        if (last.era, last.listed) == (self._era_of(snapshot), listed.macs):
            machine = snapshot.machine_with_id(last.machine.id)
            return machine if machine and machine.is_as(last.machine) else None
        machine = snapshot.machine(sighting.mac, listed.macs)
        if machine is None or not machine.is_as(last.machine):
            return None
        return None if vouched and not _is_alone(machine, sighting, snapshot, listed) else machine

    def keep(
        self,
        sighting: Sighting,
        stage: Stage,
        machine: Machine,
        listed: Listed,
        snapshot: Snapshot | None = None,
        *,
        vouched: bool,
    ) -> None:
        """Remember that the sighting tells nothing new of the machine as it is now; of invented ones there is no end.

        ``snapshot``: in that one it was found, and so it is found again while nobody has other MACs or other hardware.
        """
        if listed.macs or not machine.transient:
            era = self._era_of(snapshot) if snapshot else _NEVER
            repeat = _Repeat(sighting, machine, listed.macs, era, vouched=vouched)
            self._known.put((sighting.mac, stage), repeat)

    def _era_of(self, snapshot: Snapshot) -> int:
        if snapshot.owners is not self._owners or snapshot.twins is not self._twins:
            self._owners, self._twins = snapshot.owners, snapshot.twins
            self._era += 1
        return self._era


def _is_alone(machine: Machine, sighting: Sighting, snapshot: Snapshot, listed: Listed) -> bool:
    """Say whether no other machine might turn out to be the one that speaks."""
    if not sighting.macs:
        return True
    owners = (snapshot.owners.get(mac, machine.id) for mac in (*sighting.macs, *listed.macs))
    return all(one == machine.id for one in owners) and snapshot.ids_with(sighting) <= {machine.id}


def is_within(span: timedelta, one: datetime, other: datetime) -> bool:
    """Say whether two times, by a clock that may have been set between them, are so close."""
    return abs(one - other) < span
