"""Machines that only pass by: they asked for a boot by DHCP, never came further, and nobody decided about them.

A guest's laptop asks like this, and so does a program that makes up 5,000 MACs in a minute. So they are kept for a
day, and only so many of them.
"""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from iluvatar_pxe.machines.model import Machine

MOST_PASSING = 4096
"""More than the devices of any home network; each takes about 2 KB of memory and 1 KB of the database."""
PASSING_SECONDS = 24 * 3600.0
"""For how long one is remembered after it was heard of last."""


class Transients:
    """Ids of machines that pass by, the least recently heard of first. Time is the monotonic clock's, in seconds."""

    def __init__(self) -> None:
        self._heard: OrderedDict[UUID, float] = OrderedDict()

    def note(self, machine: Machine, now: float) -> list[UUID]:
        """Take in that a machine was heard of; return those for which there is no room any more."""
        self.leave(machine.id)
        if machine.transient:
            self._heard[machine.id] = now
        return self._beyond_room()

    def leave(self, machine_id: UUID) -> None:
        """Take in that a machine is no more, or passes by no longer."""
        self._heard.pop(machine_id, None)

    def expired(self, now: float) -> list[UUID]:
        """Return those that were not heard of for a day, and forget them."""
        gone = []
        while self._heard:
            machine_id, heard = next(iter(self._heard.items()))
            if now - heard < PASSING_SECONDS:
                break
            gone.append(machine_id)
            del self._heard[machine_id]
        return gone

    def resume(self, machines: Iterable[Machine], now: float, wall: datetime) -> list[UUID]:
        """Start over with these machines, at ``wall`` by the wall clock; return those for which there is no room.

        Their age by that clock counts, but as a day at most and never as less than nothing: the clock may have jumped.
        """
        passing = sorted((one for one in machines if one.transient), key=lambda one: one.last_seen)
        ages = {one.id: (wall - one.last_seen).total_seconds() for one in passing}
        heard = {id_: now - min(max(age, 0.0), PASSING_SECONDS) for id_, age in ages.items()}
        self._heard = OrderedDict(sorted(heard.items(), key=lambda item: item[1]))
        return self._beyond_room()

    def _beyond_room(self) -> list[UUID]:
        return [self._heard.popitem(last=False)[0] for _ in range(len(self._heard) - MOST_PASSING)]
