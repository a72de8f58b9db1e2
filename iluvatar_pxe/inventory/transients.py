"""Machines that only pass by: they asked for a boot by DHCP, never came further, and nobody decided about them.

A guest's laptop asks like this, and so does a program that makes up 5,000 MACs in a minute. So they are kept for a
day, and only so many of them.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.machines.model import Machine

MOST_PASSING = 4096
"""More than the devices of any home network; each takes about 2 KB of memory and 1 KB of the database."""
PASSING_SECONDS = 24 * 3600.0
"""For how long one is remembered after it was heard of last."""


class Transients:
    """Ids of machines that pass by, the least recently heard of first. Time is the monotonic clock's, in seconds."""

    def __init__(self) -> None:
        self._heard: Recent[UUID, float] = Recent(MOST_PASSING)

    def note(self, machine: Machine, now: float) -> UUID | None:
        """Take in that a machine was heard of; return the one for which there is no room any more, or None."""
        if not machine.transient:
            self.leave(machine.id)
            return None
        dropped = self._heard.put(machine.id, now)
        return dropped[0] if dropped else None

    def leave(self, machine_id: UUID) -> None:
        """Take in that a machine is no more, or passes by no longer."""
        self._heard.pop(machine_id)

    def expired(self, now: float) -> list[UUID]:
        """Return those that were not heard of for a day, and forget them."""
        gone = []
        while (oldest := self._heard.oldest()) and now - oldest[1] >= PASSING_SECONDS:
            self._heard.pop(oldest[0])
            gone.append(oldest[0])
        return gone

    def resume(self, machines: Iterable[Machine], now: float, wall: datetime) -> list[UUID]:
        """Start over with these machines, at ``wall`` by the wall clock; return those for which there is no room.

        Their age by that clock counts, but as a day at most and never as less than nothing: the clock may have jumped.
        """
        passing = sorted((one for one in machines if one.transient), key=lambda one: one.last_seen)
        ages = {one.id: (wall - one.last_seen).total_seconds() for one in passing}
        heard = {id_: now - min(max(age, 0.0), PASSING_SECONDS) for id_, age in ages.items()}
        self._heard = Recent(MOST_PASSING)
        dropped = (self._heard.put(*item) for item in sorted(heard.items(), key=lambda item: item[1]))
        return [one[0] for one in dropped if one]
