"""Which machine a sighting is of: by its MAC, and by what iPXE says of NICs and hardware.

A MAC belongs to the machine that was heard by it. What iPXE tells of other NICs, and of UUID, serial number and
product, counts only where it is ``vouched`` for: the neighbour table confirms the sender. And nobody becomes
another's machine by naming it: two are the same only if both tell the same UUID or serial number, or if each
lists the other's card.
A firmware's own option 97 alone neither joins nor parts machines: some cards send another UUID there than the
mainboard's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from iluvatar_pxe.machines.hardware import agreement, contradiction, hardware_of
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Phase


@dataclass(frozen=True, slots=True)
class Identity:
    """The machine that spoke, None when its MAC is new; machines that are really the same one.

    ``conflicts`` says by machine why it is not clear which one it is; then nothing that was told is believed.
    """

    machine: Machine | None
    same: tuple[Machine, ...] = ()
    conflicts: Mapping[UUID, str] = field(default_factory=dict)


def identify(sighting: Sighting, snapshot: Snapshot, *, vouched: bool) -> Identity:
    """Tell which machine a sighting is of; changes nothing."""
    own = snapshot.machine(sighting.mac)
    if not vouched or not sighting.macs:
        return Identity(own)
    listed = (snapshot.machine(mac) for mac in sighting.macs)
    found = {one.id: one for one in (*listed, *snapshot.with_hardware(hardware_of(sighting))) if one}
    same = tuple(one for one in found.values() if _is_same(one, own, sighting))
    conflicts = _moved(own, same, sighting) or _disputes(own, same, sighting)
    return Identity(own, conflicts=conflicts) if conflicts else Identity(own, same)


def _is_same(one: Machine, own: Machine | None, sighting: Sighting) -> bool:
    """Say whether a machine found is the one that speaks, by another card."""
    if own is not None and (one.id == own.id or _parted(one, own)):
        return False
    if contradiction(one, sighting) and one.described:
        return False
    mutual = sighting.mac in one.claimed and not set(sighting.macs).isdisjoint(one.macs)
    return mutual or agreement(one, sighting)


def _parted(one: Machine, other: Machine) -> bool:
    """Say whether somebody said that they are not the same."""
    return not set(one.apart).isdisjoint(other.macs) or not set(other.apart).isdisjoint(one.macs)


def _moved(own: Machine | None, same: Iterable[Machine], sighting: Sighting) -> dict[UUID, str]:
    """The MAC is on other hardware now: a card or an adapter that moved, or an address used twice."""
    why = contradiction(own, sighting) if own and own.described else ""
    if not own or not why:
        return {}
    text = f"{sighting.mac} was seen with {why}"
    return {own.id: text} | {one.id: f"{text}: that of {one.title}" for one in same}


def _disputes(own: Machine | None, same: Iterable[Machine], sighting: Sighting) -> dict[UUID, str]:
    """Machines that were booted as such, and turn out to be one, are for people to settle."""
    settled = [one for one in (own, *same) if one and _settled(one)]
    if len(settled) < 2:
        return {}
    why = "both were booted as machines of their own"
    found: dict[UUID, str] = {}
    for one in same:
        claim, of_whom = _claim(one, sighting)
        found[one.id] = f"{sighting.mac} {claim}: {why}"
        if own:
            found[own.id] = f"its firmware {of_whom}: {why}"
    return found


def _claim(other: Machine, sighting: Sighting) -> tuple[str, str]:
    """Return in words what makes the speaker ``other``, for that machine and for the speaker's own."""
    listed = next((mac for mac in sighting.macs if mac in other.macs), None)
    if listed is None:
        return "tells the same UUID and serial number", f"tells the UUID and serial number of {other.title}"
    return f"lists {listed} as a card of its own", f"lists {listed}, a card of {other.title}"


def _settled(machine: Machine) -> bool:
    return machine.phase is not Phase.DISCOVERED or machine.assignment is not None
