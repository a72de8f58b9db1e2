"""Machines as the rows of ``machines list``. Pure."""

from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.machine_list import Entry
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Intent


def row_of(entry: Entry) -> Data:
    """Return what is told of a machine, by headings; ``MACs`` are a list, and ``last seen`` is a moment."""
    machine = entry.machine
    return {
        "name": entry.name or "-",
        "layer": entry.layer or "",
        "role": entry.role or "",
        "phase": machine.phase.value,
        "intent": _wanted(machine),
        "address": str(machine.address or ""),
        "MACs": list(machine.macs),
        "make and product": " ".join(filter(None, (machine.manufacturer, machine.product))),
        "last seen": utc(machine.last_seen),
        "reached": machine.reached.label,
    }


def _wanted(machine: Machine) -> str:
    """Return what is unusual about what a machine is to do: a conflict comes first there, too."""
    if machine.conflict:
        return "conflict"
    intent = machine.directive.intent
    return "" if intent is Intent.BOOT else intent.value
