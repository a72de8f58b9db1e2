"""Changes on their way to the database."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from iluvatar_pxe.machines.model import BootEvent, Machine

MOST_EVENTS = 20_000
"""Events kept while the database cannot be written: about 10 MB, or some 2,000 boots."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes: the latest state of each changed machine, and events in their order."""

    machines: Mapping[UUID, Machine]
    events: tuple[BootEvent, ...]


class Pending:
    """Machines by id, the latest state only, so as many as there are; events, the latest MOST_EVENTS."""

    def __init__(self) -> None:
        self._machines: dict[UUID, Machine] = {}
        self._events: deque[BootEvent] = deque(maxlen=MOST_EVENTS)
        self.dropped = 0
        """How many events were given up, oldest first, because there was no room for them."""

    def __bool__(self) -> bool:
        return bool(self._machines or self._events)

    def add(self, machine: Machine, *events: BootEvent) -> None:
        """Queue a changed machine and what changed it."""
        self._machines[machine.id] = machine
        self._extend(events)

    def take(self) -> Batch:
        """Return all of it, and keep nothing."""
        batch = Batch(self._machines, tuple(self._events))
        self._machines = {}
        self._events.clear()
        return batch

    def put_back(self, batch: Batch) -> None:
        """Undo ``take``: put the batch before what was queued since."""
        newer = self.take()
        self._machines = {**batch.machines, **newer.machines}
        self._extend(batch.events)
        self._extend(newer.events)

    def rename(self, renamed: Mapping[UUID, tuple[UUID, int]], machines: Iterable[Machine]) -> None:
        """Give events their machine's new id, and their boots numbers so much higher; queue ``machines`` too."""
        batch = self.take()
        kept = {id_: machine for id_, machine in batch.machines.items() if id_ not in renamed}
        self._machines = kept | {machine.id: machine for machine in machines}
        self._extend(_renamed(event, renamed) for event in batch.events)

    def _extend(self, events: Iterable[BootEvent]) -> None:
        for event in events:
            self.dropped += len(self._events) == self._events.maxlen
            self._events.append(event)


def _renamed(event: BootEvent, renamed: Mapping[UUID, tuple[UUID, int]]) -> BootEvent:
    if event.machine_id not in renamed:
        return event
    machine_id, earlier_boots = renamed[event.machine_id]
    return replace(event, machine_id=machine_id, generation=event.generation + earlier_boots)
