"""What machines that leave a cluster have in common, whichever program it runs. Pure."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.dns.members import Member
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Phase

FILE_GONE = "its file has left the fleet"
"""What a machine leaves for, and its Node is cordoned for."""
NOT_DUE = "its file is gone; it leaves in a minute, unless the file is back by then"


class Hold(Struct, frozen=True):
    """It stays as it is for now; ``why`` is one line."""

    why: str


def unlisted(snapshot: Snapshot, fleet: Fleet, members: Iterable[Member]) -> tuple[Machine, ...]:
    """Return the machines that had Talos installed and have no place in the fleet any more.

    ``members`` are those that have one. Whose address is another machine's by now cannot be told by it.
    """
    latest: dict[IPv4Address, Machine] = {}
    for machine in sorted(snapshot.by_id.values(), key=lambda one: (one.last_seen, one.macs)):
        if machine.address:
            latest[machine.address] = machine
    held = {one.address for one in members}
    found = (machine for address, machine in latest.items() if address not in held)
    return tuple(sorted((one for one in found if _has_left(one, fleet)), key=lambda one: one.macs))


def _has_left(machine: Machine, fleet: Fleet) -> bool:
    return was_installed(machine) and machine.assignment is None and listed_as(machine, fleet) is None


def was_installed(machine: Machine) -> bool:
    """Say whether a machine has ended its installation."""
    return machine.phase in {Phase.INSTALLED, Phase.JOINED}


def last_copies(volumes: Collection[str]) -> str:
    """Say that a node alone has these volumes of Longhorn, and what to do; nothing where it has none."""
    if not volumes:
        return ""
    return (
        f"it has the last healthy replica of Longhorn's volumes {', '.join(volumes)}; have Longhorn "
        "rebuild them on another node, or delete them"
    )
