"""Machines as the inventory has them."""

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.machine_details import machine_details
from iluvatar_pxe.admin.machine_list import Roll
from iluvatar_pxe.admin.machine_reads import page_of
from iluvatar_pxe.admin.requests.machines import ListMachines, ShowMachine, ShowMachines
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.cli.options import be_quiet
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.fleet.lookup import find_machine, name_of
from iluvatar_pxe.inventory.database.read_only import last_boots
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.settings.model import Settings


def recorded(settings: Settings, request: ListMachines | ShowMachines) -> Data:
    """Return what a daemon would answer, with all machines in one page; raises InventoryError."""
    be_quiet()
    state = State.read_recorded(settings)
    entries = Roll().entries(state.snapshot, state.fleet)
    if isinstance(request, ShowMachines):
        return {"machines": [describe(one.machine, state.fleet) for one in entries]}
    everything = request.model_copy(update={"limit": max(1, len(entries))})
    return page_of(entries, everything, state.now)


def recorded_machine(settings: Settings, request: ShowMachine) -> Data:
    """Return what a daemon would answer; raises InventoryError, and UnknownMachineError."""
    be_quiet()
    state = State.read_recorded(settings)
    machine = find_machine(request.machine, state.snapshot, state.fleet)
    *_, last = state.next_boot(asking(sighting_of(machine)))
    latest = last_boots(settings.database_url, machine.id, request.boots)
    told = state.awaited, state.changing, state.troubles(machine)
    return machine_details(machine, state.fleet, last.decision, latest, *told)


def words_of(text: str, settings: Settings) -> frozenset[str]:
    """Return what log lines call a machine; raises InventoryError, and UnknownMachineError."""
    be_quiet()
    state = State.read_recorded(settings)
    machine = find_machine(text, state.snapshot, state.fleet)
    name = name_of(machine, state.fleet)
    known = (str(machine.id), *machine.macs, name, machine.address and str(machine.address))
    return frozenset(word for word in known if word)
