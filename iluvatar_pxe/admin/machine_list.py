"""All machines as a list that is filtered, ordered and cut into pages, and what each of them is doing."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from iluvatar_pxe.admin.boot_parts import DOING, PART_OF, Part
from iluvatar_pxe.fleet.lookup import listed_as, role_of
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.machines.boots import DHCP, Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Assignment, Intent, Phase, Role

PAGE = 50
"""Machines on one page."""
MOST_COMING_UP = 24
LATELY = timedelta(minutes=10)
"""How long a machine that says nothing more still counts as coming up, or as new."""

_LAST = "~"
"""Comes after every host name."""

Since = Callable[[str], datetime | None]
"""Returns when a machine, by its id, came to the stage that it is in, if that is known."""


class Filter(Struct, frozen=True):
    """What is looked for; empty: everything but those that only asked by DHCP a while ago."""

    words: str = ""
    """In its name, its MACs, address, serial number, manufacturer or product; case does not matter."""
    phase: str = ""
    layer: str = ""
    role: str = ""
    attention: bool = False
    """Only those that need a person."""
    every: bool = False
    """Also those that only asked by DHCP."""


class State(Struct, frozen=True):
    """A machine's state in one word, and how good that is: ``ok``, ``busy``, ``warn``, ``bad`` or ``idle``."""

    tone: str
    word: str


class Entry(Struct, frozen=True):
    """A machine and its place."""

    machine: Machine
    name: str | None
    layer: str | None
    role: str | None
    position: str
    """Where it stands in the list: by its name, those without one last. It says so also when the machine is no more."""

    @property
    def title(self) -> str:
        """Its name, or its first MAC while it has none."""
        return self.name or self.machine.macs[0]


class Row(Struct, frozen=True, kw_only=True):
    """What the list tells of one machine; nothing in it changes by time alone."""

    id: str
    title: str
    named: bool
    layer: str
    role: str
    state: State
    doing: str
    since: datetime
    part: Part
    """How far its boot is."""
    address: str
    hardware: str
    last_seen: datetime


class Listing(Struct, frozen=True, kw_only=True):
    """One page of the list, and what there is besides."""

    rows: tuple[Row, ...]
    coming_up: tuple[Row, ...]
    """Those that boot now, whether or not they are on this page; the newest hardware first, so that none jumps about."""
    found: int
    """Machines that the filter leaves."""
    seen: int
    """All machines but those that only passed by."""
    passing: int
    page: int
    pages: int


class Roll:
    """All machines with their places, in order of their names. Each is kept until that machine or the fleet changes."""

    def __init__(self) -> None:
        self._kept: tuple[Snapshot, Fleet, tuple[Entry, ...]] | None = None

    def entries(self, snapshot: Snapshot, fleet: Fleet) -> tuple[Entry, ...]:
        """Return them; in threads at once it may be done twice, and comes to the same."""
        kept = self._kept
        if kept is None or kept[0] is not snapshot or kept[1] is not fleet:
            known = {id(one.machine): one for one in kept[2]} if kept and kept[1] is fleet else {}
            machines = snapshot.by_id.values()
            entries = (known.get(id(one)) or entry_of(one, fleet) for one in machines)
            self._kept = kept = snapshot, fleet, tuple(sorted(entries, key=_position))
        return kept[2]


def listing(entries: Sequence[Entry], wanted: Filter, page: int, now: datetime, since: Since) -> Listing:
    """Return a page of the machines that ``wanted`` leaves, the first one being 1, in the order of ``entries``."""
    found = _found(entries, wanted, now)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    lately = (one for one in entries if is_coming_up(one.machine, now))
    booting = heapq.nlargest(MOST_COMING_UP, lately, key=_latest)
    passing = sum(passes_by(one.machine) for one in entries)
    return Listing(
        rows=tuple(row(one, since) for one in shown),
        coming_up=tuple(row(one, since) for one in sorted(booting, key=_newest, reverse=True)),
        found=len(found),
        seen=len(entries) - passing,
        passing=passing,
        page=page,
        pages=pages,
    )


def row(entry: Entry, since: Since) -> Row:
    """Return what the list tells of a machine."""
    machine = entry.machine
    return Row(
        id=str(machine.id),
        title=entry.title,
        named=entry.name is not None,
        layer=entry.layer or "",
        role=Role(entry.role).words if entry.role else "",
        state=state_of(machine),
        doing=doing(machine),
        since=since(str(machine.id)) or machine.last_seen,
        part=PART_OF[machine.reached],
        address=str(machine.address or ""),
        hardware=" ".join(filter(None, (machine.manufacturer, machine.product))),
        last_seen=machine.last_seen,
    )


def state_of(machine: Machine) -> State:
    """Return the state that a person should know first."""
    if machine.conflict:
        return State("warn", "conflict")
    if machine.directive.intent in {Intent.HOLD, Intent.IGNORE}:
        return State("warn", "held" if machine.directive.intent is Intent.HOLD else "ignored")
    if machine.phase is Phase.FAILED:
        return State("bad", "failed")
    if machine.report.faults:
        return State("warn", f"{machine.phase}, with faults")
    return State(_TONES.get(machine.phase, "idle"), machine.phase.value)


_TONES = {
    Phase.BOOTING: "busy",
    Phase.INSTALLING: "busy",
    Phase.INSTALLED: "ok",
    Phase.JOINED: "ok",
}


def doing(machine: Machine) -> str:
    """Say what a machine is doing, or did last."""
    return DOING[machine.reached]


def needs_attention(machine: Machine) -> bool:
    """Say whether a machine waits for a person."""
    return state_of(machine).tone in {"warn", "bad"}


def is_coming_up(machine: Machine, now: datetime) -> bool:
    """Say whether a boot is under way: something was heard of it lately, and it does not run yet."""
    return machine.reached < Stage.RUNNING and now - machine.last_seen < LATELY


def entry_of(machine: Machine, fleet: Fleet) -> Entry:
    """Return a machine with its place: what a file of the fleet says of that goes first."""
    listed, given = listed_as(machine, fleet), machine.assignment
    role = role_of(machine, listed)
    place: ListedMachine | Assignment | None = listed or given
    name = place.name if place else None
    return Entry(
        machine=machine,
        name=name,
        layer=place.layer if place else None,
        role=role.value if role else None,
        position=f"{name or _LAST} {machine.macs[0]} {machine.id}",
    )


def matching(entries: Sequence[Entry], wanted: Filter) -> Sequence[Entry]:
    """Return what a filter leaves, those that only asked by DHCP included."""
    return entries if wanted == Filter(every=wanted.every) else [one for one in entries if _has(one, wanted)]


def _found(entries: Iterable[Entry], wanted: Filter, now: datetime) -> Sequence[Entry]:
    return matching([one for one in entries if wanted.every or not _passed_by(one.machine, now)], wanted)


def _passed_by(machine: Machine, now: datetime) -> bool:
    return passes_by(machine) and now - machine.last_seen >= LATELY


def _has(entry: Entry, wanted: Filter) -> bool:
    return (
        (not wanted.layer or entry.layer == wanted.layer)
        and (not wanted.role or entry.role == wanted.role)
        and (not wanted.phase or entry.machine.phase == wanted.phase)
        and (not wanted.attention or needs_attention(entry.machine))
        and (not wanted.words or wanted.words.lower() in _text(entry))
    )


def passes_by(machine: Machine) -> bool:
    """Say whether a machine is transient; quick for the many that are not."""
    return machine.furthest in DHCP and machine.transient


def _text(entry: Entry) -> str:
    machine = entry.machine
    known = (entry.name or "", *machine.macs, machine.serial, machine.manufacturer, machine.product)
    return "\n".join((*known, str(machine.address or ""))).lower()


def _position(entry: Entry) -> str:
    return entry.position


def _newest(entry: Entry) -> tuple[datetime, str]:
    return entry.machine.first_seen, entry.title


def _latest(entry: Entry) -> datetime:
    return entry.machine.last_seen
