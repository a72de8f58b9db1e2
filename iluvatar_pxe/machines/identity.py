"""Which machine a sighting is of: by its MAC, and by what iPXE says of NICs and hardware.

A MAC belongs to one machine. What iPXE tells of other NICs, and of UUID, serial number and product, is believed
only where it is ``vouched`` for: the neighbour table confirms the sender. Nobody joins another's machine by
naming it: what was booted or assigned already takes in a newcomer only with its own UUID or serial number.
A firmware's own option 97 alone neither joins nor parts machines: some cards send another UUID there than the
mainboard's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from iluvatar_pxe.machines.hardware import agreement, contradiction, hardware_of
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Phase


@dataclass(frozen=True, slots=True)
class Identity:
    """The machine that spoke, None when it is new; machines that are really the same one; MACs that are its own.

    ``conflicts`` says by machine why it is not clear which one it is; then nothing that was told is believed.
    """

    machine: Machine | None
    same: tuple[Machine, ...] = ()
    macs: tuple[str, ...] = ()
    conflicts: Mapping[UUID, str] = field(default_factory=dict)


def identify(sighting: Sighting, snapshot: Snapshot, *, vouched: bool) -> Identity:
    """Tell which machine a sighting is of; changes nothing."""
    own = snapshot.machine(sighting.mac)
    if not vouched or not sighting.macs:
        return Identity(own, macs=(sighting.mac,))
    macs = [mac for mac in sighting.macs if own is None or mac not in own.apart]
    listed = (snapshot.machine(mac) for mac in macs)
    others = _without(own, (*listed, *snapshot.with_hardware(hardware_of(sighting))))
    conflicts = _moved(own, others, sighting) or _disputes(own, others, sighting)
    if conflicts:
        return Identity(own, macs=(sighting.mac,), conflicts=conflicts)
    return Identity(own, others, tuple(dict.fromkeys((sighting.mac, *macs))))


def _without(own: Machine | None, found: Iterable[Machine | None]) -> tuple[Machine, ...]:
    """Return the machines found, each once, but for ``own`` and those that somebody said are not the same."""
    others = {one.id: one for one in found if one}
    if own is None:
        return tuple(others.values())
    return tuple(one for one in others.values() if one.id != own.id and not _parted(own, one))


def _parted(one: Machine, other: Machine) -> bool:
    return not set(one.apart).isdisjoint(other.macs) or not set(other.apart).isdisjoint(one.macs)


def _moved(own: Machine | None, others: Iterable[Machine], sighting: Sighting) -> dict[UUID, str]:
    """The MAC is on other hardware now: a card or an adapter that moved, or an address used twice."""
    why = contradiction(own, sighting) if own and own.described else ""
    if not own or not why:
        return {}
    text = f"{sighting.mac} was seen with {why}"
    there = [one for one in others if not contradiction(one, sighting)]
    return {own.id: text} | {one.id: f"{text}: that of {one.title}" for one in there}


def _disputes(own: Machine | None, others: Sequence[Machine], sighting: Sighting) -> dict[UUID, str]:
    settled = [one for one in (own, *others) if one and _settled(one)]
    found: dict[UUID, str] = {}
    for other in others:
        if why := _doubt(other, settled, sighting):
            claim, of_whom = _claim(other, sighting)
            found[other.id] = f"{sighting.mac} {claim}: {why}"
            if own:
                found[own.id] = f"its firmware {of_whom}: {why}"
    return found


def _claim(other: Machine, sighting: Sighting) -> tuple[str, str]:
    """Return in words what makes the speaker ``other``, for that machine and for the speaker's own."""
    listed = next((mac for mac in sighting.macs if mac in other.macs), None)
    if listed is None:
        return "tells the same UUID and serial number", f"tells the UUID and serial number of {other.title}"
    return f"lists {listed} as a card of its own", f"lists {listed}, a card of {other.title}"


def _doubt(other: Machine, settled: Sequence[Machine], sighting: Sighting) -> str:
    """Return in words what speaks against ``other`` being the machine that speaks, if anything does."""
    why = contradiction(other, sighting) if other.described else ""
    if why or other not in settled:
        return why
    if len(settled) > 1:
        return "both were booted as machines of their own"
    return "" if agreement(other, sighting) else "neither a UUID nor a serial number confirms it"


def _settled(machine: Machine) -> bool:
    return machine.phase is not Phase.DISCOVERED or machine.assignment is not None
