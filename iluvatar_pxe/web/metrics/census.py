"""Counts machines by layer and phase, a few at a time: with ten thousand of them it takes longer than an OFFER may wait."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest
from itertools import islice

from msgspec import Struct

from iluvatar_pxe.fleet.lookup import layer_of, name_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Intent, Phase

AT_ONCE = 50
MOST_NAMED = 50
"""Machines that are named, those that were not heard of for longest."""
_UNDER_WAY = frozenset({Phase.BOOTING, Phase.INSTALLING, Phase.INSTALLED})
_WAITING = frozenset({Intent.HOLD, Intent.IGNORE})


class UnderWay(Struct, frozen=True, order=True):
    """A machine whose operating system is being booted or installed, and has not reported that it is ready."""

    last_seen: datetime
    name: str
    """The fleet's; machines without one are not told of."""
    layer: str
    phase: Phase


@dataclass(slots=True)
class Census:
    """``machines`` are counted by layer and phase, but those that only passed by are ``passing``."""

    machines: Counter[tuple[str, Phase]] = field(default_factory=Counter)
    passing: int = 0
    intents: Counter[Intent] = field(default_factory=Counter)
    conflicts: int = 0
    under_way: list[UnderWay] = field(default_factory=list)


class CensusTaker:
    """Keeps the last census: while nothing changes, it stands."""

    def __init__(self) -> None:
        self._last: tuple[Snapshot, Fleet, Census] | None = None

    async def take(self, snapshot: Snapshot, fleet: Fleet) -> Census:
        """Count; others have their turn in between."""
        if self._last and self._last[0] is snapshot and self._last[1] is fleet:
            return self._last[2]
        census, left = Census(), iter(snapshot.by_id.values())
        while machines := list(islice(left, AT_ONCE)):
            _count(machines, fleet, census)
            await asyncio.sleep(0)
        self._last = snapshot, fleet, census
        return census


def _count(machines: Iterable[Machine], fleet: Fleet, census: Census) -> None:
    for machine in machines:
        if machine.transient:
            census.passing += 1
            continue
        layer = layer_of(machine, fleet)
        census.machines[layer, machine.phase] += 1
        census.intents[machine.directive.intent] += 1
        census.conflicts += bool(machine.conflict)
        if _is_under_way(machine) and (name := name_of(machine, fleet)):
            census.under_way.append(UnderWay(machine.last_seen, name, layer, machine.phase))
    census.under_way = nsmallest(MOST_NAMED, census.under_way)


def _is_under_way(machine: Machine) -> bool:
    """Say whether more is to come: of a script of the fleet, nobody reports how it ends."""
    reports = bool(machine.attempts.chain)
    return reports and machine.phase in _UNDER_WAY and machine.directive.intent not in _WAITING
