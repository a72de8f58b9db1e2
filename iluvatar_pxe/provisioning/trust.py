"""Whether a request comes from the machine that it names.

Two things show it. The kernel's neighbour table: the address that asks has the MAC of one of that machine's cards.
And DHCP: the machine has asked for a boot lately, so it is its firmware that runs and not some program on a
machine that was booted long ago. Who forges Ethernet addresses, or listens, is not kept out by this.
"""

from dataclasses import dataclass

from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting

DHCP_WITHIN = 15 * 60.0
"""Seconds since the machine last asked for a boot by DHCP."""


@dataclass(frozen=True, slots=True)
class Trust:
    """``itself``: the request comes from one of the machine's cards. ``doubt`` says what speaks against it, if any."""

    itself: bool
    doubt: str = ""


def trust_of(sighting: Sighting, machine: Machine | None, inventory: InventoryProtocol) -> Trust:
    """Weigh a request in the name of ``sighting.mac``, which is ``machine``'s if anybody's."""
    address, neighbour = sighting.address, sighting.neighbour
    if neighbour is None:
        return Trust(itself=False, doubt=f"no card in this server's network has the address {address}")
    if neighbour not in (machine.macs if machine else (sighting.mac,)):
        whose = f"{address} belongs to {neighbour}, which is no card of {sighting.mac}'s machine"
        return Trust(itself=False, doubt=whose)
    if machine is None or not inventory.asked_within(machine.id, DHCP_WITHIN):
        return Trust(itself=True, doubt="it has not asked for a boot by DHCP within 15 minutes")
    return Trust(itself=True)
