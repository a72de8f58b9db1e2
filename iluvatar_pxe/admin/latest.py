"""Since when each machine does what it does, as far as the log of events remembers."""

from datetime import datetime

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.events import MOST_EVENTS, EventKind, EventLog

_OF_MACHINES = frozenset({EventKind.MACHINE_NEW, EventKind.BOOT_STAGE})


class Latest:
    """Belongs to the log's event loop, but for ``since``; costs nothing while nobody asks."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._read = 0
        self._since: Recent[str, datetime] = Recent(MOST_EVENTS)

    def follow(self) -> None:
        """Read what happened since the last call."""
        for event in self._events.after(self._read):
            self._read = event.number
            if event.kind in _OF_MACHINES:
                self._since.put(event.subject, event.at)

    def since(self, machine_id: str) -> datetime | None:
        """Return when a machine came to its stage; None where that was before the oldest event that was kept."""
        return self._since.get(machine_id)
