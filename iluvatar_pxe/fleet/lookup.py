"""Looks up the files that list a machine, its name, and the machine for a name, a MAC or an ID."""

import re
from collections.abc import Sequence

from iluvatar_pxe.errors import UnknownMachineError
from iluvatar_pxe.fleet.layers import K3sLayer
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.fleet.root import Root
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.suggest import meant_by
from iluvatar_pxe.wire.mac import parse_mac

_ID_BEGINNING = re.compile(r"[0-9a-f-]{4,36}")


def files_of(machine: Machine, fleet: Fleet) -> tuple[ListedMachine, ...]:
    """Return the files of the fleet that list a machine: more than one is a fault."""
    return fleet.machines(machine.macs, machine.serial, machine.uuid)


def listed_as(machine: Machine, fleet: Fleet) -> ListedMachine | None:
    """Return the file of the fleet that lists a machine, or None; where several do, the first."""
    return next(iter(files_of(machine, fleet)), None)


def name_of(machine: Machine, fleet: Fleet) -> str | None:
    """Return the name by which the fleet lists a machine, else the one it was given, if any."""
    if listed := listed_as(machine, fleet):
        return listed.name
    return machine.assignment.name if machine.assignment else None


def title_of(machine: Machine, fleet: Fleet) -> str:
    """Return what a machine is called: its name, or its first MAC while it has none."""
    return name_of(machine, fleet) or machine.macs[0]


def layer_of(machine: Machine, fleet: Fleet) -> str:
    """Return the name of the layer that a machine is listed in, else of the one it was given; empty where it has none."""
    if listed := listed_as(machine, fleet):
        return listed.layer or ""
    return machine.assignment.layer if machine.assignment else ""


def role_of(machine: Machine | None, listed: ListedMachine | None) -> Role | None:
    """Return the role of a machine that ``listed`` lists, None while it is to be chosen.

    A machine keeps the one that is installed on it, whatever its file says since.
    """
    given = machine.assignment if machine else None
    if listed is None:
        return given.role if given else None
    if machine is None or given is None or given.layer != listed.layer:
        return listed.file.role
    return given.role if machine.is_installed else listed.file.role or given.role


def root_of(layer: K3sLayer, listed: ListedMachine | None) -> Root:
    """Return where a machine's system and data are: what its file says stands for all that its layer's does."""
    own = listed.file.root if listed else None
    return own or layer.root


def find_machine(text: str, snapshot: Snapshot, fleet: Fleet) -> Machine:
    """Return the machine that goes by ``text``: a name, a MAC in any spelling, or an id's first 4 digits or more.

    Where the fleet gives a name to one machine and the inventory the same name to another, the fleet is right.
    Raises UnknownMachineError.
    """
    wanted = text.strip().lower()
    found = _named(wanted, snapshot, fleet) or _with_mac(wanted, snapshot) or _with_id(wanted, snapshot)
    if len(found) == 1:
        return found[0]
    if found:
        cards = ", ".join(sorted(machine.macs[0] for machine in found))
        raise UnknownMachineError(f"{text}: {len(found)} machines match; name one by its MAC: {cards}")
    if wanted in fleet.names:
        raise UnknownMachineError(
            f"{text}: machines/{wanted}.yaml lists it, but it has not been seen yet; power it on"
        )
    raise UnknownMachineError(
        f"{text}: no machine has this name, MAC or ID; {_remedy(wanted, snapshot, fleet)}"
    )


def _remedy(name: str, snapshot: Snapshot, fleet: Fleet) -> str:
    given = (one.assignment.name for one in snapshot.by_id.values() if one.assignment)
    if meant := meant_by(name, {*fleet.names, *given}):
        return f"did you mean {meant}?"
    return "list them with `iluvatar-pxe machines list --all`"


def _named(name: str, snapshot: Snapshot, fleet: Fleet) -> Sequence[Machine]:
    if name in fleet.names:
        files = [one for one in fleet.listed if one.name == name]
        found = {machine.id: machine for one in files for machine in _recognised(one, snapshot)}
        return [one for one in found.values() if (listed := listed_as(one, fleet)) and listed.name == name]
    assigned = snapshot.named(name)
    return [assigned] if assigned else []


def _recognised(listed: ListedMachine, snapshot: Snapshot) -> Sequence[Machine]:
    """Return the machines that have a NIC or the serial number that a file names; some may be there twice."""
    match = listed.file.match
    found = [machine for mac in match.macs if (machine := snapshot.machine(mac))]
    if match.serial:
        found += [one for one in snapshot.by_id.values() if one.serial == match.serial]
    return found


def _with_mac(text: str, snapshot: Snapshot) -> Sequence[Machine]:
    try:
        machine = snapshot.machine(parse_mac(text))
    except ValueError:
        return []
    return [machine] if machine else []


def _with_id(text: str, snapshot: Snapshot) -> Sequence[Machine]:
    if not _ID_BEGINNING.fullmatch(text):
        return []
    digits = text.replace("-", "")
    return [machine for machine in snapshot.by_id.values() if machine.id.hex.startswith(digits)]
