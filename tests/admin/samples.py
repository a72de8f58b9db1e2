"""An inventory of three machines, and commands carried out on it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from support.fleets import CONFIGURED, fleet_of
from support.no_secrets import no_secrets

from iluvatar_pxe.admin.command import Command, CommandContext
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.values import replace

LISTED, FREE, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
RULES = """
rules:
  - {match: {board: [tv, printer]}, intent: local}
  - {match: {board: "[x-z]"}, intent: hold}
  - {match: {board: camera}, intent: ignore}
  - {match: {board: b*}, layer: arda}
"""
FLEET = fleet_of(
    ("listed-01", LISTED, "layer: arda\nchain: hold\nintent: hold\n"),
    fleet=RULES,
    arda=CONFIGURED,
    ainur="servers: 3\n",
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PLAIN = Machine(
    id=UUID(int=1),
    macs=(FREE,),
    generation=1,
    reached=Stage.SCRIPT,
    furthest=Stage.SCRIPT,
    first_seen=NOW,
    last_seen=NOW,
    firmware=Firmware.UEFI_PXE,
    serial="1",
    uuid=UUID(int=7),
    manufacturer="Dell",
    product="7050",
    board="b",
)


class Counter:
    """Where commands are asked for: by root, of an inventory of three machines of which a file lists the first."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.fleet = FLEET
        self.context = CommandContext(
            inventory=inventory,
            fleet_in_force=lambda: self.fleet,
            assigner=DatabaseAssigner(inventory),
            window=OwnWindow(inventory),
            secrets=no_secrets(inventory),
        )

    async def ask(self, command: Command) -> CommandResult:
        return await command.carry_out(self.context, "root")

    def machine(self, mac: str) -> Machine:
        machine = self.inventory.snapshot.machine(mac)
        assert machine
        return machine

    async def edit(self, mac: str, **changes: Any) -> None:
        await self.inventory.change(
            self.machine(mac).id, lambda one: replace(one, **changes), Happening.CHANGED, "test", "test"
        )
