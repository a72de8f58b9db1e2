"""Where a machine is to be installed, by what was read of it and what the fleet says. Pure."""

from collections.abc import Mapping

from iluvatar_pxe.fleet.disk_selector import DiskSelector
from iluvatar_pxe.fleet.lookup import listed_as, root_of, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.root import RootKind
from iluvatar_pxe.layers.arda.disks import Chosen, DiskChoice, Held, choice_of, choose
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.values import replace


def selector_for(machine: Machine, fleet: Fleet) -> DiskSelector | None:
    """Return what the fleet says of a machine's disk: its own file, else its layer's."""
    listed = listed_as(machine, fleet)
    if k3s := fleet.k3s(_layer_of(machine, fleet)):
        return root_of(k3s, listed).disk
    if listed and listed.file.disk:
        return listed.file.disk
    layer = fleet.talos(_layer_of(machine, fleet))
    return layer.disk if layer else None


def _layer_of(machine: Machine, fleet: Fleet) -> str | None:
    listed, given = listed_as(machine, fleet), machine.assignment
    return listed.layer if listed else given.layer if given else None


def choice_for(machine: Machine, fleet: Fleet) -> Chosen | Held | None:
    """Return the disk that is chosen for a machine, or why none is; None while its hardware is to be read.

    Of one that is installed it is the disk that it was told to install on, whatever was on that before.
    """
    found = machine.inspection
    if found is None or (not found.boot and not found.problem):
        return None
    given = next((disk for disk in found.disks if disk.identity == found.given), None)
    if machine.is_installed and given:
        return Chosen(choice_of(given), "it was told to install its system there")
    if found.problem:
        return Held(found.problem, "")
    if fleet.k3s(_layer_of(machine, fleet)):  # decided by provisioning.installs when it asks
        return Chosen(choice_of(given), "its system is installed there") if given else None
    wipes = not machine.directive.wipe.spares
    return choose(found, selector_for(machine, fleet), title=title_of(machine, fleet), wipes=wipes)


def disk_for(machine: Machine, fleet: Fleet) -> DiskChoice | None:
    """Return where Talos is to be installed; None where the hardware has to be read first, or does not tell that.

    What is only known by its place may be another disk at the next boot.
    """
    choice, found = choice_for(machine, fleet), machine.inspection
    if not isinstance(choice, Chosen) or found is None:
        return None
    is_sure = choice.disk.is_lasting or machine.is_installed or found.boot == machine.generation
    return choice.disk if is_sure else None


def needs_inspection(machine: Machine, fleet: Fleet) -> bool:
    """Say whether a machine's hardware has to be read before it can get its whole configuration."""
    return disk_for(machine, fleet) is None


def forgotten(inspection: Inspection | None) -> Inspection | None:
    """Return what still counts once the machine is to be installed anew: its disks are read again."""
    return inspection and replace(inspection, boot=0, disks=(), nics=(), problem="")


def choice_words(machine: Machine, fleet: Fleet) -> str:
    """Return in words which disk is chosen and why, or why none is."""
    choice = choice_for(machine, fleet)
    if isinstance(choice, Chosen):
        return f"{choice.disk.path} is chosen: {choice.why}"
    if words := held_words(machine, fleet):
        return words
    if _is_in_memory(machine, fleet):
        return "none is chosen: its system is in memory"
    was_there = machine.is_installed and fleet.k3s(_layer_of(machine, fleet))
    return "none is chosen: its system was there already" if was_there else "not read yet"


def _is_in_memory(machine: Machine, fleet: Fleet) -> bool:
    layer = fleet.k3s(_layer_of(machine, fleet))
    return layer is not None and root_of(layer, listed_as(machine, fleet)).kind is RootKind.MEMORY


def held_words(machine: Machine, fleet: Fleet) -> str:
    """Return in words why a machine is not installed; empty where nothing keeps it from that."""
    choice = choice_for(machine, fleet)
    return ": ".join(filter(None, (choice.reason, choice.remedy))) if isinstance(choice, Held) else ""


def held_machines(snapshot: Snapshot, fleet: Fleet) -> Mapping[str, str]:
    """Return by the names of the machines that are not installed why, in words."""
    told = ((title_of(one, fleet), held_words(one, fleet)) for one in snapshot.by_id.values())
    return {name: words for name, words in told if words}
