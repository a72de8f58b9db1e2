"""What machines that run the provisioning system are told to do with their disks, and what they report of it."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from urllib.parse import quote
from uuid import UUID

import structlog
from msgspec import Struct, field

from iluvatar_pxe.boot.plan import Hold, Plan, ServePiFiles
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.lookup import listed_as, root_of
from iluvatar_pxe.fleet.models import Fleet, K3sLayer
from iluvatar_pxe.fleet.root import Data, RootKind
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.layers.ainur.installer.choice import Complete, Wanted
from iluvatar_pxe.layers.ainur.installer.data import DataName, WantedData
from iluvatar_pxe.layers.ainur.installer.hardware import Hardware, parse_hardware
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.image_facts import PartitionFacts
from iluvatar_pxe.layers.ainur.installer.in_memory import root_size
from iluvatar_pxe.layers.ainur.installer.layout import Installation, least_size
from iluvatar_pxe.layers.ainur.installer.place import Place, place_in_memory, place_on_disk
from iluvatar_pxe.layers.ainur.installer.protocol import (
    Install,
    InstallStep,
    Load,
    Planned,
    Restart,
    Wait,
    parse_progress,
)
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Intent
from iluvatar_pxe.provisioning.cloud_init import Asker
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.replies.raspberry_pi import CGROUPS, MODEL_LINES
from iluvatar_pxe.values import replace

WAIT_SECONDS = 15
"""Between two looks at what a machine waits for."""
_MOST = 1024
_NOT_REPORTED = "its disks have not been reported since this daemon was started"
_STAGES = {InstallStep.ERASE: Stage.INSTALLING, InstallStep.DONE: Stage.INSTALLED}
_log = structlog.get_logger()


class Installs(Struct, frozen=True, kw_only=True):
    """Belongs to one event loop."""

    inventory: InventoryProtocol
    reports: PiReports
    facts_of: Callable[[str], Awaitable[PartitionFacts]]
    """Returns what is known of the image in a folder of the assets; raises AssetError."""
    hardware: Recent[UUID, Hardware] = field(default_factory=lambda: Recent(_MOST))
    """What each machine reported last."""

    def take_hardware(self, machine: Machine, text: str) -> None:
        """Take in a machine's disks; raises WireError. An installation has the number of the boot in which it began."""
        hardware = parse_hardware(text)
        known = machine.inspection or Inspection(at=wall_clock(), boot=0)
        found = replace(
            known,
            at=wall_clock(),
            boot=known.boot or machine.generation,
            disks=tuple(one.disk for one in hardware.disks),
        )
        self.hardware.put(machine.id, hardware)
        self._note(machine, found)

    async def plan(self, asker: Asker, served: Plan, fleet: Fleet) -> Planned:
        """Return what a machine does now, which ``served`` would be booted with; raises AssetError."""
        machine, layer = asker.machine, fleet.k3s(asker.place.layer)
        if isinstance(served, Hold) or layer is None:
            return Wait(WAIT_SECONDS, served.why)
        if not isinstance(served, ServePiFiles) or not served.installs:
            return Restart(is_complete=False)
        hardware, inspection = self.hardware.get(machine.id), machine.inspection
        if hardware is None or inspection is None:
            return Wait(1, _NOT_REPORTED)
        facts = await self.facts_of(served.folder)
        wanted = _wanted(asker, layer, fleet, inspection, facts)
        in_memory = root_of(layer, listed_as(machine, fleet)).kind is RootKind.MEMORY
        found = (
            place_in_memory(hardware, wanted.data, facts.layout)
            if in_memory
            else place_on_disk(hardware, wanted)
        )
        if isinstance(found, Held):
            why = f"{found.reason}; {found.remedy}"
            self._note(machine, replace(inspection, problem=why))
            return Wait(WAIT_SECONDS, why)
        root = found.root if isinstance(found, Place) else None
        self._note(
            machine, replace(inspection, problem="", given=root.identity if root else inspection.given)
        )
        if isinstance(found, Complete):
            return Restart(is_complete=True)
        return _planned(found, hardware, served, facts, wanted.installation)

    def take_progress(self, machine: Machine, name: str, address: IPv4Address, text: str) -> None:
        """Take in how far a machine is, or what went wrong; raises WireError."""
        told = parse_progress(text)
        if told.fault:
            self.reports.fault(machine, f"{told.step or 'before it begins'}: {told.fault}")
            return
        _log.info("pi.install", machine=name, step=told.step, percent=told.percent)
        if told.step in _STAGES:
            self.reports.reached(machine, address, _STAGES[told.step], f"provisioning system: {told.step}")

    def _note(self, machine: Machine, inspection: Inspection) -> None:
        if machine.inspection != inspection:
            self.inventory.note_inspection(machine.id, inspection)


def _wanted(
    asker: Asker, layer: K3sLayer, fleet: Fleet, inspection: Inspection, facts: PartitionFacts
) -> Wanted:
    machine = asker.machine
    root = root_of(layer, listed_as(machine, fleet))
    spares_cards = asker.place.role.leads and not layer.k3s.etcd_on_card
    return Wanted(
        title=asker.name(fleet),
        selector=root.disk,
        least_size=least_size(facts.layout),
        installation=Installation(machine.serial or machine.macs[0], inspection.boot),
        wipes=not machine.directive.wipe.spares,
        refuses_cards=spares_cards and root.data is None,
        data=_wanted_data(root.data, refuses_cards=spares_cards) if root.data else None,
        again=machine.directive.intent is Intent.REINSTALL,
        given=inspection.given,
    )


def _wanted_data(data: Data, *, refuses_cards: bool) -> WantedData:
    name = DataName(data.label or "", data.uuid or "")
    return WantedData(name=name, selector=data.disk, refuses_cards=refuses_cards)


def _planned(
    place: Place, hardware: Hardware, served: ServePiFiles, facts: PartitionFacts, installation: Installation
) -> Install | Load:
    def path_of(file: str) -> str:
        return quote(f"/assets/{served.folder}/{file}")

    if place.root is None:
        return Load(
            size=root_size(hardware.memory),
            root=facts.root(path_of),
            installation=installation,
            data=place.data,
        )
    return Install(
        disk=place.root,
        image=facts.layout,
        parts=facts.parts(path_of),
        installation=installation,
        kernel_args=(*CGROUPS, *served.kernel_args),
        config_lines=(*MODEL_LINES, *served.config_lines),
        data=place.data,
    )
