"""What happened, one event after the other, for whoever watches: the page, streams of events, notifications."""

import itertools
import secrets
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct, field

from iluvatar_pxe.changed import Changed

MOST_EVENTS = 4096
"""Kept for those that come back: a boot has about fifteen. The oldest goes first."""

Fact = str | int | float | bool | None


class EventKind(StrEnum):
    """What an event is about; its ``subject`` is named in brackets."""

    MACHINE_NEW = "machine.new"
    """A machine was seen for the first time [its id]."""
    MACHINE_KNOWN = "machine.known"
    """A machine asked what to boot, by its own script, for the first time [its id]."""
    MACHINE_PHASE = "machine.phase"
    """A machine is in another phase; the facts are ``phase`` and ``before`` [its id]."""
    MACHINE_HELD = "machine.held"
    """A machine of the fleet waits until somebody does something, and ``cause`` says why; once in a boot [its id]."""
    MACHINE_GONE = "machine.gone"
    """A machine was forgotten, merged into another, or only passed by [its id]."""
    BOOT_STAGE = "boot.stage"
    """A boot reached a stage [the machine's id]."""
    BOOT_HAPPENING = "boot.happening"
    """Something else happened in a boot [the machine's id]."""
    FLEET_APPLIED = "fleet.applied"
    """A commit is in force [its id, empty where a directory decides]."""
    FLEET_REFUSED = "fleet.refused"
    """A commit that was fetched is not applied [its id]."""
    PUSH_REFUSED = "push.refused"
    """A push was refused [who pushed]."""
    DHCP_SERVER = "network.dhcp-server"
    """Another server answers boot requests [its address]."""
    ACTION = "action"
    """A person changed something [who]."""


class Event(Struct, frozen=True, kw_only=True):
    """One event. ``words`` is one line for people, without secrets; ``facts`` are the same for programs."""

    number: int
    """Counts from 1 in each log."""
    at: datetime
    """In UTC."""
    kind: EventKind
    subject: str
    words: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))


class EventLog:
    """The last events, in memory. Belongs to one event loop; ``publish`` neither blocks nor waits for readers."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        """Differs in each log, so that a number of an earlier daemon is not taken for one of this."""
        self.changed = Changed()
        """Told at every event."""
        self.counts: Counter[EventKind] = Counter()
        """How many there were of each kind since the start."""
        self._numbers = itertools.count(1)
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)

    @property
    def last(self) -> int:
        """The number of the latest event; 0 before the first."""
        return self._events[-1].number if self._events else 0

    def publish(self, kind: EventKind, subject: str, words: str, **facts: Fact) -> None:
        """Add an event."""
        event = Event(
            number=next(self._numbers),
            at=datetime.now(UTC),
            kind=kind,
            subject=subject,
            words=words,
            facts=MappingProxyType(facts),
        )
        self._events.append(event)
        self.counts[kind] += 1
        self.changed.tell()

    def after(self, number: int) -> Sequence[Event]:
        """Return the events later than this one, in their order, as far as they are kept."""
        if not self._events or number >= self._events[-1].number:
            return ()
        skipped = max(0, number + 1 - self._events[0].number)
        return tuple(itertools.islice(self._events, skipped, None))

    def has_all_after(self, number: int) -> bool:
        """Say whether nothing later than this one was dropped."""
        return not self._events or self._events[0].number <= number + 1
