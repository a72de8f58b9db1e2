"""The booter that clients of ``iluvatar-pxe simulate`` are served at where they are to be taken for machines."""

from collections.abc import Callable
from ipaddress import IPv4Address

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.trust import Trust


class PlayedBooter(Booter):
    """Decides, records and gives like the real one; only one that is played on this very host is believed who it is.

    The kernel has no neighbour with this host's own addresses, and nothing of it comes from nowhere.
    """

    def __init__(self, booter: Booter, inventory: Inventory, is_own: Callable[[IPv4Address], bool]) -> None:
        """``is_own`` says whether an address is this host's."""
        super().__init__(booter.fleet, inventory, booter.catalogue, booter.mac_of)
        self._is_own = is_own

    def trust(self, sighting: Sighting) -> Trust:
        """Believe one on this host."""
        if sighting.address and self._is_own(sighting.address):
            return Trust(itself=True)
        return super().trust(sighting)

    def may_be_itself(self, sighting: Sighting, address: IPv4Address, stage: Stage) -> bool:
        """Believe one on this host."""
        return self._is_own(address) or super().may_be_itself(sighting, address, stage)

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:
        """Believe one on this host."""
        return "" if self._is_own(client) else super().doubt_of_holder(machine, client)
