"""Which machine reports from an address, and which addresses are believed."""

from collections.abc import Callable
from ipaddress import IPv4Address
from uuid import UUID

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.lookup import listed_as, title_of
from iluvatar_pxe.fleet.nics import owner_by
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.events import Addresses
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

MOST_LIARS = 1024
"""Machines remembered that report what another one does."""


class Reporters:
    """Believes the kernel's neighbour table, and machines of layers of kind ``talos``."""

    def __init__(
        self,
        inventory: Inventory,
        applied: Applied,
        journal: Journal,
        mac_of: Callable[[IPv4Address], str | None],
    ) -> None:
        self._inventory = inventory
        self._journal = journal
        self._applied = applied
        self._mac_of = mac_of
        self._liars: Recent[UUID, str] = Recent(MOST_LIARS)
        """Why a machine is not believed."""

    def at(self, address: IPv4Address) -> Machine | None:
        """Return the machine that reports from an address; None, and a log line, where it is not believed."""
        machine = self._owner(address)
        why = "no machine of the fleet has that address" if machine is None else self._doubt(machine)
        if machine is None or why:
            title = machine and title_of(machine, self._applied.fleet)
            complain("talos.distrusted", client=str(address), machine=title, why=why)
            if machine:
                self._journal.doubted(machine, address, "a report", why)
            return None
        return machine

    def hear(self, address: IPv4Address, told: Addresses) -> None:
        """Take in which addresses the machine says that it has: not those of another one without its own."""
        if owner := self._owner(address):
            self._liars.pop(owner.id)
        if (machine := self.at(address)) is None:
            return
        if str(address) in told.addresses:
            sighting = replace(sighting_of(machine, Firmware.TALOS), address=address)
            self._inventory.touch(sighting, machine.reached)
            return
        others = (self._owner(one) for one in map(IPv4Address, filter(_is_ipv4, told.addresses)))
        if other := next((one for one in others if one and one.id != machine.id), None):
            name = title_of(other, self._applied.fleet)
            self._liars.put(machine.id, f"it reports what {name} does; look what runs on it")
            self.at(address)

    def doubts(self, layer: str) -> list[str]:
        """Return which machines of a layer are not believed, and why, one line each."""
        fleet, machines = self._applied.fleet, self._inventory.snapshot.by_id.values()
        lying = ((one, self._liars.get(one.id), listed_as(one, fleet) or one.assignment) for one in machines)
        return sorted(
            f"what {title_of(one, fleet)} reports is not believed: {why}"
            for one, why, place in lying
            if why and place and place.layer == layer
        )

    def _owner(self, address: IPv4Address) -> Machine | None:
        mac, snapshot, fleet = self._mac_of(address), self._inventory.snapshot, self._applied.fleet
        if mac is None:
            return None
        if owner := owner_by(mac, snapshot, fleet):
            return owner
        claimants = [one for one in snapshot.by_id.values() if mac in one.claimed]
        return claimants[0] if len(claimants) == 1 else None

    def _doubt(self, machine: Machine) -> str:
        fleet = self._applied.fleet
        listed = listed_as(machine, fleet)
        place = listed or machine.assignment
        if place is None or fleet.talos(place.layer) is None:
            return "it is in no layer of kind talos"
        return machine.conflict or self._liars.get(machine.id) or ""


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
