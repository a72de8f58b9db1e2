"""What Raspberry Pis report becomes how far their boots have come. Who reports shows its ticket from its own address."""

from contextlib import suppress
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.lookup import listed_as, title_of
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.ainur.reports import Event, Fault, Reached, of_event
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.layers.one_line import one_line
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.report import LONGEST, Report
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.tickets import mask
from iluvatar_pxe.values import replace

_log = structlog.get_logger()


class PiReports:
    """Takes in what machines report, and what their clusters say of them."""

    def __init__(self, inventory: Inventory, applied: Applied, journal: Journal) -> None:
        self._inventory = inventory
        self._applied = applied
        self._journal = journal

    def take(self, machine: Machine, address: IPv4Address, event: Event) -> None:
        """Take in an event of cloud-init, or of the program that prepares k3s."""
        title = title_of(machine, self._applied.fleet)
        _log.debug("pi.event", machine=title, reported=mask(repr(event)))
        found = of_event(event)
        if isinstance(found, Reached):
            self.reached(machine, address, found.stage, found.words)
        elif isinstance(found, Fault):
            self.fault(machine, found.words)

    def reached(self, machine: Machine, address: IPv4Address, stage: Stage, words: str) -> None:
        """Take in how far a machine has come, in its own words."""
        with suppress(InventoryError):  # it was forgotten at this moment
            self._journal.reported(machine, address, stage, one_line(mask(words))[:LONGEST])

    def fault(self, machine: Machine, words: str) -> None:
        """Take in what is wrong, in a machine's own words."""
        with suppress(InventoryError):  # as above
            self._fault(machine, one_line(mask(words))[:LONGEST])

    def see_nodes(self, layer: str, nodes: tuple[Node, ...]) -> None:
        """Take in the Nodes of a layer's cluster: a machine has joined whose Node is ready."""
        ready = {node.name: node for node in nodes if node.is_ready}
        for machine in list(self._inventory.snapshot.by_id.values()):
            place = listed_as(machine, self._applied.fleet) or machine.assignment
            node = ready.get(place.name) if place and place.layer == layer else None
            if node and _is_of_this_system(node, machine):
                self._ready(machine, node, f"{layer}/{node.name}")

    def _ready(self, machine: Machine, node: Node, place: str) -> None:
        """A Node is ready for a while after its machine has lost power: the start that it is of tells the two apart."""
        report, address = machine.report, machine.address or IPv4Address(0)
        if node.boot != report.start:
            if report.start and report.boot == machine.generation:  # its firmware has asked nobody here
                machine = self._journal.reported(machine, address, Stage.STARTED, "")
            report = Report(node.boot, machine.generation)
        if machine.report != (report := replace(report, node=place)):
            self._inventory.note_report(machine.id, report)
        if report.boot == machine.generation:
            self._journal.reported(machine, address, Stage.JOINED, "its Node is ready")

    def _fault(self, machine: Machine, words: str) -> None:
        if words in machine.report.faults:
            return
        self._inventory.note_report(machine.id, machine.report.with_fault(words))
        self._journal.happened(machine, Happening.FAULT, words, words)


def _is_of_this_system(node: Node, machine: Machine) -> bool:
    """Say whether a Node may be of the system that a machine has now: not while that has neither secrets nor started."""
    seed, known = machine.seed, machine.report.start
    is_other_start = known not in {"", node.boot}
    return seed.boot == 0 or seed.is_spent or is_other_start or machine.reached >= Stage.STARTED
