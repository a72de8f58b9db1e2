"""Machines met while the database could not be opened, and the same machines in the database.

The database's id wins. It may be named in other rows, in the fleet's history and by other servers, while the
id made in memory has lived for a few boots at most. The boots seen meanwhile are later than all those recorded,
so they are counted on: a machine at boot 7 that memory saw boot twice is at boot 9. A ticket bound to
the id or boot number in memory dies with them, as any ticket does at its machine's next boot; that the database
comes back just between the making of a ticket and its use costs that machine one boot more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from uuid import UUID

from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.observe import more_telling


@dataclass(frozen=True, slots=True)
class Adoption:
    """``snapshot`` holds everything known; ``renamed`` maps ids in memory to the database's and its boots so far."""

    snapshot: Snapshot
    renamed: Mapping[UUID, tuple[UUID, int]]
    unwritten: tuple[Machine, ...]
    """Machines that the database lacks or knows less of."""


def adopt(memory: Snapshot, stored: Snapshot) -> Adoption:
    """Unite what memory has with what the database has; where both have a machine by one id, memory is newer."""
    by_mac = dict(stored.by_mac)
    renamed: dict[UUID, tuple[UUID, int]] = {}
    unwritten: dict[UUID, Machine] = {}
    for machine in {machine.id: machine for machine in memory.by_mac.values()}.values():
        twin = next((by_mac[mac] for mac in machine.macs if mac in by_mac), None)
        united = machine
        if twin is not None and twin.id != machine.id:
            renamed[machine.id] = (twin.id, twin.generation)
            united = _united(twin, machine)
        if united != twin:
            unwritten[united.id] = united
        by_mac |= dict.fromkeys(united.macs, united)
    return Adoption(Snapshot(MappingProxyType(by_mac)), renamed, tuple(unwritten.values()))


def _united(stored: Machine, seen: Machine) -> Machine:
    return replace(
        seen,
        id=stored.id,
        macs=tuple(dict.fromkeys(stored.macs + seen.macs)),
        generation=stored.generation + seen.generation,
        first_seen=min(stored.first_seen, seen.first_seen),
        firmware=stored.firmware if more_telling(stored.firmware, seen.firmware) else seen.firmware,
        arch=seen.arch or stored.arch,
        uuid=seen.uuid or stored.uuid,
        serial=seen.serial or stored.serial,
        manufacturer=seen.manufacturer or stored.manufacturer,
        product=seen.product or stored.product,
        address=seen.address or stored.address,
    )
