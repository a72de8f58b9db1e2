"""The booter that clients of ``iluvatar-pxe simulate`` are served at, unless they are to be taken for machines."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address

from iluvatar_pxe.boot.plan import Plan
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.sandbox import Sandbox
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.assigner import Assigner
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.trust import Trust
from iluvatar_pxe.replies.made_up import made_up, made_up_arguments, made_up_configuration, stranger
from iluvatar_pxe.replies.masking import mask_arguments, mask_configuration, rehearsed


class RehearsalBooter(Booter):
    """Decides as for real, and gives nothing away: no name, no secret, no line in the inventory.

    So it may believe everybody, and whoever only claims to be simulated gains nothing by it.
    """

    config_ticket = "rehearsed-talos-config"
    """No right to a real one."""

    def __init__(self, booter: Booter, inventory: Inventory, is_own: Callable[[IPv4Address], bool]) -> None:
        """Rehearse on top of what ``booter`` has in force and ``inventory`` knows; ``is_own`` knows this host's addresses."""
        super().__init__(booter.fleet, Sandbox(inventory), booter.catalogue, _no_card)
        self._is_own = is_own

    def decide_by(self, assigner: Assigner) -> None:
        """Give names in memory all the same."""

    def trust(self, sighting: Sighting) -> Trust:  # noqa: ARG002 - Booter's signature
        """Believe it."""
        return Trust(itself=True)

    def may_be_itself(self, sighting: Sighting, address: IPv4Address, stage: Stage) -> bool:  # noqa: ARG002
        """Believe it."""
        return True

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:  # noqa: ARG002
        """Believe whoever holds a ticket: it is for a configuration without secrets."""
        return ""

    def hand_out(self, plan: Plan, client: IPv4Address) -> Plan:
        """Return the plan without secrets to this host, and a made-up one to any other."""
        return rehearsed(plan) if self._is_own(client) else made_up(plan)

    def introduce(self, sighting: Sighting, client: IPv4Address) -> Sighting:
        """Tell another host nothing of the machine."""
        return sighting if self._is_own(client) else stranger(sighting)

    def hand_out_cmdline(self, text: str, client: IPv4Address) -> str:
        """Return the command line without secrets to this host, and a made-up one to any other."""
        return mask_arguments(text) if self._is_own(client) else made_up_arguments(text)

    async def hand_out_config(self, text: str, client: IPv4Address) -> str:
        """Return the configuration without secrets to this host, and a made-up one to any other."""
        return await asyncio.to_thread(
            mask_configuration if self._is_own(client) else made_up_configuration, text
        )

    def _report(self, machine: Machine, sighting: Sighting, stage: Stage, facts: dict[str, object]) -> None:
        super()._report(machine, sighting, stage, facts | {"simulated": True})


def _no_card(address: IPv4Address) -> str | None:
    """A simulated client need not have the card that it names."""
