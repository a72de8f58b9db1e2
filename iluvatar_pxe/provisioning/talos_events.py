"""What Talos machines report becomes how far their boots have come.

Nothing in a report says which machine it is of. The address that it comes from does, by the neighbour table.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from uuid import UUID

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.events import Addresses, Event
from iluvatar_pxe.layers.arda.kernel_log import KernelLogLine
from iluvatar_pxe.layers.arda.progress import Fault, Found, Reached, Started, of_event, of_line
from iluvatar_pxe.layers.one_line import one_line
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.report import LONGEST, Report
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.reporters import Reporters
from iluvatar_pxe.provisioning.talos_reports import note_event, note_line

MOST_WRITING = 1024
"""Machines of which is remembered whether they install Talos 1.13."""


class TalosEvents:
    """Takes reports in; each is known to be new while the daemon runs, and old ones change nothing after its restart."""

    def __init__(
        self,
        inventory: Inventory,
        applied: Applied,
        journal: Journal,
        mac_of: Callable[[IPv4Address], str | None],
    ) -> None:
        """``mac_of`` looks an address up in the kernel's neighbour table."""
        self._inventory = inventory
        self._applied = applied
        self._journal = journal
        self._reporters = Reporters(inventory, applied, journal, mac_of)
        self._writing: Recent[UUID, bool] = Recent(MOST_WRITING)

    def doubts(self, layer: str) -> list[str]:
        """See ``Reporters``."""
        return self._reporters.doubts(layer)

    def take_event(self, address: IPv4Address, event: Event) -> None:
        """Take in an event from an address."""
        note_event(address, event)
        if isinstance(event.body, Addresses):
            self._reporters.hear(address, event.body)
            return
        if (machine := self._reporters.at(address)) is None:
            return
        writes, found = of_event(event, writes=self._writes(machine))
        self._writing.put(machine.id, writes)
        self.take(machine, address, found)

    def _writes(self, machine: Machine) -> bool:
        """Say whether Talos 1.13 is writing itself on a disk; after a restart of the daemon, the inventory tells it."""
        known = self._writing.get(machine.id)
        if known is not None:
            return known
        fleet = self._applied.fleet
        place = listed_as(machine, fleet) or machine.assignment
        layer = fleet.talos(place.layer) if place else None
        is_1_13 = layer and layer.talos.is_chosen and Contract.of(layer.talos.version) is Contract.V1_13
        return bool(is_1_13) and machine.reached is Stage.INSTALLING and not machine.report.faults

    def take_line(self, address: IPv4Address, line: KernelLogLine) -> None:
        """Take in a line of a kernel log from an address."""
        note_line(address, line)
        if (found := of_line(line.message)) and (machine := self._reporters.at(address)):
            self.take(machine, address, found)

    def take(self, machine: Machine, address: IPv4Address, found: Iterable[Found]) -> None:
        """Record what a machine at an address reports, as far as it is new."""
        for one in found:
            machine = self._inventory.snapshot.machine_with_id(machine.id) or machine
            try:
                self._record(machine, address, one)
            except InventoryError:  # it was forgotten at this moment
                return

    def _record(self, machine: Machine, address: IPv4Address, found: Found) -> None:
        if isinstance(found, Started):
            self._started(machine, address, found.start)
        elif isinstance(found, Reached):
            self._journal.reported(machine, address, found.stage, _plain(found.words))
        elif isinstance(found, Fault):
            self._fault(machine, _plain(found.words))
        else:
            words, once = _plain(found.words), machine.report.start
            self._journal.happened(machine, Happening.RESTARTING, words, once)

    def _started(self, machine: Machine, address: IPv4Address, start: str) -> None:
        """The second start in one boot is another boot, whose firmware has asked nobody here."""
        report = machine.report
        if start == report.start:
            return
        if machine.reached < Stage.STARTED or report.boot == machine.generation:
            machine = self._journal.reported(machine, address, Stage.STARTED, "")
        self._inventory.note_report(machine.id, Report(start, machine.generation))

    def _fault(self, machine: Machine, words: str) -> None:
        if words in machine.report.faults:
            return
        self._inventory.note_report(machine.id, machine.report.with_fault(words))
        self._journal.happened(machine, Happening.FAULT, words, words)


def _plain(words: str) -> str:
    """Return words without what a terminal would carry out, and what may be a secret."""
    return one_line(words)[:LONGEST]
