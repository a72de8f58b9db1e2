"""What every server shares: the fleet in force, the inventory, the boot files, and the decision made of them."""

from pathlib import Path

import structlog

from iluvatar_pxe.assets.catalogue import Catalogue
from iluvatar_pxe.boot.decide import Context, plan_for
from iluvatar_pxe.boot.plan import Plan
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
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

    def plan(self, sighting: Sighting) -> Plan:
        """Decide, with the state of this moment."""
        return plan_for(sighting, self.inventory.snapshot, self.fleet, Context(self.catalogue.ready))

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
        """Record that a boot reached a stage, and log it in one line."""
        machine = self.inventory.observe(sighting, stage, detail=detail, size=size, milliseconds=milliseconds)
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

    def record_fetch(
        self, machine: Machine, stage: Stage, detail: str, *, size: int, milliseconds: float
    ) -> None:
        """Record that a machine, known by its address, has fetched a file."""
        self.record(sighting_of(machine), stage, detail, size=size, milliseconds=milliseconds)


def sighting_of(machine: Machine, firmware: Firmware | None = None) -> Sighting:
    """Return the sighting that a known machine would give, as the given firmware."""
    return Sighting(
        mac=machine.macs[0],
        firmware=firmware or machine.firmware,
        arch=machine.arch,
        address=machine.address,
    )
