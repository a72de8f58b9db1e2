"""The desk that clients of ``iluvatar-pxe simulate`` are served at, unless they are to be taken for machines."""

import asyncio
from ipaddress import IPv4Address

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.rehearsal import Rehearsal
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.replies.masking import mask_arguments, mask_secrets
from iluvatar_pxe.servers.assigner import Assigner
from iluvatar_pxe.servers.desk import Desk
from iluvatar_pxe.servers.standing import Standing


class RehearsalDesk(Desk):
    """Decides as for real, and gives nothing away: no name, no secret, no line in the inventory.

    So it may believe everybody, and whoever only claims to be simulated gains nothing by it.
    """

    config_ticket = "rehearsed-talos-config"
    """No right to a real one."""

    def __init__(self, desk: Desk, inventory: Inventory) -> None:
        """Rehearse on top of what ``desk`` has in force and ``inventory`` knows."""
        super().__init__(desk.fleet, Rehearsal(inventory), desk.catalogue, _no_card)

    def decide_by(self, assigner: Assigner) -> None:
        """Give names in memory all the same."""

    def standing(self, sighting: Sighting) -> Standing:  # noqa: ARG002 - Desk's signature
        """Believe it."""
        return Standing(itself=True)

    def may_be_itself(self, sighting: Sighting, address: IPv4Address, stage: Stage) -> bool:  # noqa: ARG002
        """Believe it."""
        return True

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:  # noqa: ARG002
        """Believe whoever holds a ticket: it is for a configuration without secrets."""
        return ""

    def hand_out_script(self, text: str) -> str:
        """Return the script with the secrets in its URLs and kernel arguments masked."""
        return mask_arguments(text)

    async def hand_out_config(self, text: str) -> str:
        """Return the configuration with every secret masked."""
        return await asyncio.to_thread(mask_secrets, text)

    def _report(self, machine: Machine, sighting: Sighting, stage: Stage, facts: dict[str, object]) -> None:
        super()._report(machine, sighting, stage, facts | {"simulated": True})


def _no_card(address: IPv4Address) -> str | None:
    """A simulated client need not have the card that it names."""
