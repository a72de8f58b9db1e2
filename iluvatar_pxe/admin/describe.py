"""A machine as plain data, for JSON."""

from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.fleet.lookup import listed_as, name_of, role_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nic_warnings
from iluvatar_pxe.machines.hardware import is_bogus_serial, is_bogus_uuid
from iluvatar_pxe.machines.model import Machine


def describe(machine: Machine, fleet: Fleet) -> Data:
    """Return everything known of a machine; what a file of the fleet says of its place goes first.

    Keys are those of the inventory's columns where there is one. Times are UTC, ISO 8601; what is not known is null.
    """
    return {
        "id": str(machine.id),
        **_place(machine, fleet),
        "phase": machine.phase.value,
        "intent": machine.directive.intent.value,
        "intent_by": machine.directive.by or None,
        "intent_why": machine.directive.why or None,
        "conflict": machine.conflict or None,
        "faults": list(machine.report.faults),
        "warnings": list(nic_warnings(machine, fleet)),
        "address": machine.address and str(machine.address),
        "macs": list(machine.macs),
        "claimed": list(machine.claimed),
        "manufacturer": machine.manufacturer or None,
        "product": machine.product or None,
        "board": machine.board or None,
        "serial": machine.serial or None,
        "serial_is_bogus": bool(machine.serial) and is_bogus_serial(machine.serial),
        "uuid": machine.uuid and str(machine.uuid),
        "uuid_is_bogus": machine.uuid is not None and is_bogus_uuid(machine.uuid),
        "arch": machine.arch and machine.arch.value,
        "firmware": machine.firmware.value,
        "boots": machine.generation,
        "reached": machine.reached.label,
        "furthest": machine.furthest.label,
        "first_seen": utc(machine.first_seen),
        "last_seen": utc(machine.last_seen),
        "transient": machine.transient,
    }


def _place(machine: Machine, fleet: Fleet) -> Data:
    listed, given = listed_as(machine, fleet), machine.assignment
    role = role_of(machine, listed)
    layer = listed.layer if listed else given and given.layer
    return {
        "name": name_of(machine, fleet),
        "layer": layer,
        "role": role and role.value,
        "rule": f"machines/{listed.name}.yaml" if listed else given and given.rule,
        "assigned_at": given and utc(given.at),
        "listed": listed is not None,
        "power": listed.file.power.kind if listed and listed.file.power else None,
    }
