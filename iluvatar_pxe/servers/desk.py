"""What every server shares: the fleet in force, the inventory, the boot files, and the decision made of them."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import structlog

from iluvatar_pxe.assets.catalogue import Catalogue
from iluvatar_pxe.boot.decide import Context, plan_for
from iluvatar_pxe.boot.plan import Plan
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import QUESTIONS, Stage, begins_boot
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting

_log = structlog.get_logger()


class Desk:
    """Decides by ``plan_for``, and records and logs every stage of every boot."""

    def __init__(
        self, fleet: Fleet, fleet_directory: Path, inventory: Inventory, catalogue: Catalogue
    ) -> None:
        self.fleet = fleet
        self.fleet_directory = fleet_directory
        self.fleet_problem: str | None = None
        """Why the last reload was refused, or None."""
        self.inventory = inventory
        self.catalogue = catalogue
        self._asked: dict[UUID, tuple[int, set[tuple[Stage, str]]]] = {}

    def plan(self, sighting: Sighting) -> Plan:
        """Decide, with the state of this moment."""
        return plan_for(sighting, self.inventory.snapshot, self.fleet, Context(self.catalogue.ready))

    def as_listed(self, sighting: Sighting) -> Sighting:
        """Return the sighting under the MAC by which the fleet lists the machine, if it lists one of its NICs.

        So a machine that boots by another NIC than the one listed is one machine from its script on.
        """
        listed = next(
            (mac for mac in (sighting.mac, *sighting.macs) if mac in self.fleet.by_mac), sighting.mac
        )
        return replace(sighting, mac=listed)

    def record(
        self,
        sighting: Sighting,
        stage: Stage,
        detail: str,
        *,
        size: int = 0,
        milliseconds: float = 0.0,
        why: str = "",
    ) -> Machine:
        """Record that a boot reached a stage, and log it in one line.

        Asking again and getting the same is neither: firmware repeats itself, and a machine that is held asks
        every half minute, for weeks.
        """
        if self._asked_before(sighting, stage, detail):
            return self.inventory.touch(sighting, stage)
        machine = self.inventory.observe(sighting, stage, detail=detail, size=size, milliseconds=milliseconds)
        self._remember(machine, stage, detail)
        listed = self.fleet.machine(machine.macs)
        _log.info(
            "boot",
            stage=stage.label,
            machine=listed.name if listed else None,
            mac=sighting.mac,
            boot=machine.generation,
            served=detail,
            bytes=size,
            ms=round(milliseconds, 1),
            **({"why": why} if why else {}),
        )
        return machine

    def _asked_before(self, sighting: Sighting, stage: Stage, detail: str) -> bool:
        machine = self.inventory.snapshot.machine(sighting.mac)
        if machine is None or begins_boot(machine.reached, stage):
            return False
        generation, asked = self._asked.get(machine.id, (0, set()))
        return generation == machine.generation and (stage, detail) in asked

    def _remember(self, machine: Machine, stage: Stage, detail: str) -> None:
        if stage not in QUESTIONS:
            return
        generation, asked = self._asked.get(machine.id, (0, set()))
        if generation != machine.generation:
            asked = set()
        asked.add((stage, detail))
        self._asked[machine.id] = machine.generation, asked


def sighting_of(machine: Machine, firmware: Firmware | None = None) -> Sighting:
    """Return the sighting that a known machine would give, as the given firmware."""
    return Sighting(
        mac=machine.macs[0],
        firmware=firmware or machine.firmware,
        arch=machine.arch,
        address=machine.address,
    )
