"""Which events are news for somebody who is away, and in which words. Pure."""

from collections.abc import Callable, Mapping
from enum import Enum, auto

from msgspec import Struct

from iluvatar_pxe.events import Event, EventKind
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notifications import NewsKind
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase


class Teller(Enum):
    """Which daemon of a fleet tells."""

    HERE = auto()
    """Each: no other knows of it."""
    CONFIGURED = auto()
    """The one that gave the machine its configuration."""
    FIRST = auto()
    """The first one that is up, for all of them know."""


class News(Struct, frozen=True):
    """One thing to tell. It is the same as an earlier one if ``kind``, ``about`` and ``cause`` are."""

    kind: NewsKind
    about: str
    line: str
    """In words, without secrets."""
    cause: str = ""
    teller: Teller = Teller.HERE


def news_of(event: Event, machine: Machine | None, fleet: Fleet) -> News | None:
    """Return what an event is to be told of, or None; ``machine`` is the one that it is about."""
    if rule := _OF_MACHINES.get(event.kind):
        return rule(event, machine, fleet) if machine else None
    other = _OTHERS.get(event.kind)
    return other(event) if other else None


def is_configured(event: Event) -> bool:
    """Say whether an event tells that this daemon gave a machine its configuration."""
    return event.kind is EventKind.MACHINE_PHASE and event.facts["phase"] == Phase.INSTALLING


def _known(event: Event, machine: Machine, fleet: Fleet) -> News | None:
    if fleet.machines(machine.macs, machine.serial, machine.uuid):
        return None
    hardware = " ".join(filter(None, (machine.manufacturer, machine.product)))
    where = f" at {machine.address}" if machine.address else ""
    line = f"{machine.macs[0]}{where}{f': {hardware}' if hardware else ''}"
    return News(NewsKind.NEW_MACHINE, event.subject, line)


def _phase(event: Event, machine: Machine, fleet: Fleet) -> News | None:
    if event.facts["phase"] != Phase.JOINED:
        return None
    place = machine.assignment
    line = title_of(machine, fleet) + (f", {place.role.words} of {place.layer}" if place else "")
    boot = str(machine.generation)
    return News(NewsKind.JOINED, event.subject, line, boot, Teller.CONFIGURED)


def _happening(event: Event, machine: Machine, fleet: Fleet) -> News | None:
    line = f"{title_of(machine, fleet)}: {event.facts['detail']}"
    match event.facts["stage"]:
        case Happening.FAILED:
            return News(NewsKind.BOOT_LOOP, event.subject, line, str(machine.generation))
        case Happening.FAULT:  # one thing that fails makes others fail
            return News(NewsKind.FAILED, event.subject, line)
        case _:
            return None


def _held(event: Event, machine: Machine, fleet: Fleet) -> News:
    cause = str(event.facts["cause"])
    return News(NewsKind.HELD, event.subject, f"{title_of(machine, fleet)}: {cause}", cause)


def _dhcp_server(event: Event) -> News:
    return News(NewsKind.DHCP_SERVER, event.subject, event.words, event.words, Teller.FIRST)


def _push_refused(event: Event) -> News:
    return News(NewsKind.PUSH_REFUSED, event.subject, event.words, event.words)


def _fleet_refused(event: Event) -> News:
    return News(NewsKind.PUSH_REFUSED, event.subject, event.words, event.words, Teller.FIRST)


_OF_MACHINES: Mapping[EventKind, Callable[[Event, Machine, Fleet], News | None]] = {
    EventKind.MACHINE_KNOWN: _known,
    EventKind.MACHINE_PHASE: _phase,
    EventKind.BOOT_HAPPENING: _happening,
    EventKind.MACHINE_HELD: _held,
}
_OTHERS: Mapping[EventKind, Callable[[Event], News]] = {
    EventKind.DHCP_SERVER: _dhcp_server,
    EventKind.PUSH_REFUSED: _push_refused,
    EventKind.FLEET_REFUSED: _fleet_refused,
}
