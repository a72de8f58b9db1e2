"""Whether a request comes from the machine that it names.

Two things show it. The kernel's neighbour table: the address that asks has the MAC of one of that machine's NICs.
And DHCP: the machine asked for a boot lately, so its firmware runs, and not a program on a machine that booted long
ago. An attacker who spoofs MACs or sniffs the network is not kept out by this.
"""

from collections.abc import Callable, Collection
from ipaddress import IPv4Address
from typing import Protocol

from msgspec import Struct

from iluvatar_pxe.fleet.nics import has_nic, nics_of, not_its_nic
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.applied import Applied

DHCP_WITHIN = 15 * 60.0
"""Seconds since the machine last asked for a boot by DHCP."""


class Trust(Struct, frozen=True):
    """``itself``: the request comes from one of the machine's NICs. ``doubt`` says what speaks against it, if any."""

    itself: bool
    doubt: str = ""


class TrustPolicy(Protocol):
    """Whom a booter believes."""

    def mac_of(self, address: IPv4Address) -> str | None:
        """Return the MAC that the neighbour table has for an address, or None."""
        ...

    def is_routed(self, address: IPv4Address) -> bool:
        """Say whether an address is in no network that is served here, so that a router is in between."""
        ...

    def of(self, sighting: Sighting, machine: Machine | None) -> Trust:
        """Weigh a request in the name of ``sighting.mac``, which is ``machine``'s if anybody's."""
        ...

    def may_have_sent(self, machine: Machine, address: IPv4Address, stage: Stage) -> bool:
        """Say whether a DHCP message may be of the machine that it names; nothing but ``address`` shows it."""
        ...

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:
        """Say why whoever shows this machine's ticket from an address is not that machine; empty when it is."""
        ...


class NeighbourTrust:
    """Believes the kernel's neighbour table and DHCP."""

    def __init__(
        self,
        inventory: InventoryProtocol,
        applied: Applied,
        mac_of: Callable[[IPv4Address], str | None],
        is_routed: Callable[[IPv4Address], bool],
        macs_here: Callable[[IPv4Address], Collection[str]] = lambda _: (),
    ) -> None:
        """``mac_of`` looks an address up in the kernel's neighbour table; ``is_routed``: see ``TrustPolicy``.

        ``macs_here`` returns the MACs of this host where an address is its own, which is not in that table.
        """
        self._inventory = inventory
        self._applied = applied
        self._mac_of = mac_of
        self._is_routed = is_routed
        self._macs_here = macs_here

    def mac_of(self, address: IPv4Address) -> str | None:
        """Ask the kernel."""
        return self._mac_of(address)

    def is_routed(self, address: IPv4Address) -> bool:
        """Compare it with the networks of the interfaces."""
        return self._is_routed(address)

    def of(self, sighting: Sighting, machine: Machine | None) -> Trust:
        """Compare the neighbour's MAC with the machine's, and ask when it was heard by DHCP."""
        neighbour = sighting.neighbour
        fleet = self._applied.fleet
        if not (has_nic(machine, neighbour, fleet) if machine else neighbour == sighting.mac):
            return Trust(itself=False, doubt=self._whose(sighting.address, neighbour, machine, sighting.mac))
        if machine is None or not self._inventory.asked_within(machine.id, DHCP_WITHIN):
            return Trust(itself=True, doubt="no DHCP boot request from it within 15 minutes")
        return Trust(itself=True)

    def may_have_sent(self, machine: Machine, address: IPv4Address, stage: Stage) -> bool:
        """Say whether the address is the machine's, and firmware has one at this stage.

        It has none when it sends a DISCOVER: a program on that machine or elsewhere, or a relay, does, and must neither
        end a boot nor be recorded of it. A machine that came no further than DHCP has nothing to lose, and may be
        behind a relay.
        """
        if machine.transient:
            return True
        if stage is not Stage.BOOT_SERVER:
            return False
        mac = self._mac_of(address)
        if mac is None:  # the kernel may not have had to ask yet who has that address
            return self._inventory.machine_at(address) == machine
        return has_nic(machine, mac, self._applied.fleet)

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:
        """Compare the neighbour's MAC with all that the machine has or lists: Talos may come up by another NIC.

        The machine may be this very host.
        """
        neighbour = self._mac_of(client)
        nics = (*nics_of(machine, self._applied.fleet), *machine.claimed)
        if neighbour in nics or set(self._macs_here(client)).intersection(nics):
            return ""
        return self._whose(client, neighbour, machine)

    def _whose(
        self, address: IPv4Address | None, neighbour: str | None, machine: Machine | None, mac: str = ""
    ) -> str:
        """Say in words why an address is not the machine's; a router's NIC does not show whose it is."""
        if address and self._is_routed(address):
            return f"{address} is in none of this server's networks"
        if neighbour is None:
            return f"no NIC on this server's network has the address {address}"
        if machine is None:
            return f"{address} belongs to {neighbour}, not to {mac}"
        whose = not_its_nic(machine, neighbour, self._inventory.snapshot, self._applied.fleet)
        return f"{address} belongs to {neighbour}, {whose}"
