"""Simulated machines: decided about like real ones, by a booter with policies of its own.

By default it decides on top of an inventory in memory (``inventory.sandbox``), and gives nothing away: no name, no
secret, no row in the database. So it may believe everybody. With ``[simulate] as_real`` it decides, records and gives like
the booter of real machines; only machines simulated on this very host are believed to be who they say they are.
"""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address

from iluvatar_pxe.boot.plan import Plan
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.sandbox import Sandbox
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.boot_meter import BootMeter
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.trust import Trust, TrustPolicy
from iluvatar_pxe.replies.made_up import (
    made_up,
    made_up_arguments,
    made_up_configuration,
    stranger,
    with_made_up_script,
)
from iluvatar_pxe.replies.masking import mask_arguments, mask_configuration, masked
from iluvatar_pxe.values import replace

IsOwn = Callable[[IPv4Address], bool]
"""Says whether an address is this host's."""


def in_sandbox(real: Booter, inventory: Inventory, is_own: IsOwn, meter: BootMeter) -> Booter:
    """Return the booter of simulated machines that leave no trace."""
    sandbox = Sandbox(inventory)
    return Booter(
        applied=real.applied,
        inventory=sandbox,
        store=real.store,
        coming=real.coming,
        arriving=real.arriving,
        hasten=real.hasten,
        assigner=DatabaseAssigner(sandbox),
        trust=TrustEverybody(),
        handout=real.handout.under(LimitedDisclosure(is_own)),
        journal=Journal(sandbox, real.applied, meter=meter, simulated=True),
        configurations=real.configurations.rehearsed(),
    )


def as_real(real: Booter, is_own: IsOwn) -> Booter:
    """Return the booter of simulated machines that are to be treated like real ones, but have no disks."""
    return replace(
        real,
        trust=TrustThisHost(real.trust, is_own),
        installs=None,
    )


class TrustEverybody:
    """For a booter that gives nothing away."""

    def mac_of(self, address: IPv4Address) -> str | None:
        """Return None: a simulated client need not have the NIC that it names."""
        del address
        return None

    def is_routed(self, address: IPv4Address) -> bool:
        """Say no: it makes no difference."""
        del address
        return False

    def of(self, sighting: Sighting, machine: Machine | None) -> Trust:
        """Believe it."""
        del sighting, machine
        return Trust(itself=True)

    def may_have_sent(self, machine: Machine, address: IPv4Address, stage: Stage) -> bool:
        """Believe it."""
        del machine, address, stage
        return True

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:
        """Believe it: its tickets are for configurations without secrets."""
        del machine, client
        return ""


class TrustThisHost:
    """Believes what is simulated on this host, and of all else what ``otherwise`` believes.

    The kernel has no neighbour with this host's own addresses, and nothing that is sent from here comes from 0.0.0.0.
    """

    def __init__(self, otherwise: TrustPolicy, is_own: IsOwn) -> None:
        self._otherwise = otherwise
        self._is_own = is_own

    def mac_of(self, address: IPv4Address) -> str | None:
        """Ask the other policy."""
        return self._otherwise.mac_of(address)

    def is_routed(self, address: IPv4Address) -> bool:
        """Ask the other policy."""
        return self._otherwise.is_routed(address)

    def of(self, sighting: Sighting, machine: Machine | None) -> Trust:
        """Believe a request from this host."""
        if sighting.address and self._is_own(sighting.address):
            return Trust(itself=True)
        return self._otherwise.of(sighting, machine)

    def may_have_sent(self, machine: Machine, address: IPv4Address, stage: Stage) -> bool:
        """Believe a message from this host."""
        return self._is_own(address) or self._otherwise.may_have_sent(machine, address, stage)

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:
        """Believe a client on this host."""
        return "" if self._is_own(client) else self._otherwise.doubt_of_holder(machine, client)


class LimitedDisclosure:
    """This host gets what is no secret, and any other host made-up values."""

    purpose = "rehearsed-talos-config"
    """No right to a real configuration."""

    def __init__(self, is_own: IsOwn) -> None:
        self._is_own = is_own

    def plan(self, plan: Plan, client: IPv4Address) -> Plan:
        """Return the plan without secrets to this host, and a made-up one to any other."""
        return with_made_up_script(masked(plan)) if self._is_own(client) else made_up(plan)

    def sighting(self, sighting: Sighting, client: IPv4Address) -> Sighting:
        """Tell another host nothing of the machine."""
        return sighting if self._is_own(client) else stranger(sighting)

    def arguments(self, line: str, client: IPv4Address) -> str:
        """Return the command line without secrets to this host, and a made-up one to any other."""
        return mask_arguments(line) if self._is_own(client) else made_up_arguments(line)

    async def configuration(self, text: str, client: IPv4Address) -> str:
        """Return the configuration without secrets to this host, and a made-up one to any other."""
        return await asyncio.to_thread(
            mask_configuration if self._is_own(client) else made_up_configuration, text
        )
