"""Changes on their way to the database."""

from collections import deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.window import SavedWindow
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.values import replace

MOST_EVENTS = 20_000
"""Events kept while the database cannot be written: about 10 MB, or some 2,000 boots."""


class Pending:
    """Machines by id, the latest state only, so as many as there are; events, the latest MOST_EVENTS.

    Of a machine that came and went between two batches nothing is kept, however many such there are.
    """

    def __init__(self) -> None:
        self._merges: list[Merge] = []
        self._removals: set[UUID] = set()
        self._machines: dict[UUID, Machine] = {}
        self._new: set[UUID] = set()
        self._events: deque[BootEvent] = deque(maxlen=MOST_EVENTS)
        self._window: SavedWindow | None = None
        self.is_due = False
        """Whether any of it is to be written soon; the rest may wait for that, or for a minute."""
        self.dropped = 0
        """How many events were dropped, oldest first, for lack of room."""

    def __bool__(self) -> bool:
        return bool(self._machines or self._merges or self._removals) or self._window is not None

    @property
    def machines(self) -> int:
        """How many machines are queued."""
        return len(self._machines)

    @property
    def gone(self) -> frozenset[UUID]:
        """Machines that the database still has and that are no more."""
        return frozenset(self._removals | {merge.absorbed for merge in self._merges})

    def add(self, machine: Machine, *events: BootEvent, new: bool = False) -> None:
        """Queue a changed machine and what changed it; ``new`` where the database cannot know it yet."""
        self.is_due = True
        self._machines[machine.id] = machine
        if new:
            self._new.add(machine.id)
        self._extend(events)

    def add_later(self, machine: Machine) -> None:
        """Queue a machine of which nothing is new but when it was seen."""
        self._machines[machine.id] = machine

    def merge(self, merge: Merge) -> None:
        """Queue a merge, and let what is queued of the absorbed machine follow it; its survivor is to be added."""
        self.is_due = True
        self._merges.append(merge)
        self._machines.pop(merge.absorbed, None)
        self._new -= {merge.absorbed, merge.survivor}  # the database may know the other one
        self._events = deque(renamed(self._events, (merge,)), maxlen=self._events.maxlen)

    def remove(self, machine_id: UUID) -> None:
        """Queue that a machine is no more. Its events go with it when they are taken."""
        self.is_due = True
        self._machines.pop(machine_id, None)
        if machine_id in self._new:
            self._new.remove(machine_id)
        else:
            self._removals.add(machine_id)

    def save_window(self, window: SavedWindow) -> None:
        """Queue the enrolment window's state."""
        self.is_due = True
        self._window = window

    def take(self) -> Batch:
        """Return all of it, and keep nothing."""
        batch = Batch(
            merges=tuple(self._merges),
            removals=frozenset(self._removals),
            machines=self._machines,
            new=frozenset(self._new),
            events=tuple(event for event in self._events if event.machine_id in self._machines),
            window=self._window,
        )
        self.clear()
        return batch

    def put_back(self, batch: Batch) -> None:
        """Undo ``take``: put the batch before what was queued since."""
        newer = self.take()
        self.is_due = True
        gone = newer.removals | {merge.absorbed for merge in newer.merges}
        self._merges = [*batch.merges, *newer.merges]
        self._removals = {*batch.removals, *(newer.removals - batch.new)}
        self._machines = {id_: one for id_, one in batch.machines.items() if id_ not in gone} | dict(
            newer.machines
        )
        self._new = {*(batch.new - gone), *newer.new}
        self._window = batch.window if newer.window is None else newer.window
        self._extend(renamed(batch.events, newer.merges))
        self._extend(newer.events)

    def clear(self) -> None:
        """Keep nothing."""
        self.is_due = False
        self._merges, self._removals, self._machines, self._new = [], set(), {}, set()
        self._events.clear()
        self._window = None

    def _extend(self, events: Iterable[BootEvent]) -> None:
        for event in events:
            self.dropped += len(self._events) == self._events.maxlen
            self._events.append(event)


def renamed(events: Iterable[BootEvent], merges: Sequence[Merge]) -> list[BootEvent]:
    """Return the events with the machines and boot numbers that the merges gave them."""
    return [_renamed(event, merges) for event in events] if merges else list(events)


def _renamed(event: BootEvent, merges: Sequence[Merge]) -> BootEvent:
    machine_id, generation = event.machine_id, event.generation
    for merge in merges:
        machine_id, generation = merge.renamed(machine_id, generation)
    if (machine_id, generation) == (event.machine_id, event.generation):
        return event
    return replace(event, machine_id=machine_id, generation=generation)
