"""What a commit changes of the configurations of machines that run, and what that takes. Pure.

What only a machine's own daemon knows, such as its disk and its secrets, is the same before and after: others stand in
for it.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from itertools import chain, takewhile
from typing import NamedTuple

from iluvatar_pxe.boot.preview.differences import Difference
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.lookup import listed_as, name_of, role_of
from iluvatar_pxe.fleet.models import Fleet, MachineFile
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.layers.arda.changes import changes, words
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.configuration.stand_in import STAND_IN
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Document, dump_documents, load_documents
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings, cluster_facts, machine_facts
from iluvatar_pxe.layers.arda.patched import PatchFile, node_name, patched, patches_of
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Phase, Role

_AROUND = Surroundings(here=IPv4Address("192.0.2.1"), network=IPv4Network("0.0.0.0/0"))
_DISK = DiskChoice(serial="serial", size=1, path="/dev/sda")
_MAC = "52:54:00:00:00:01"
_ON_DISK = frozenset({Phase.INSTALLED, Phase.JOINED})
_SEALED = "sealed patches, which only a daemon can compare"


class _Place(NamedTuple):
    """What the configurations of machines differ by, besides their names."""

    layer: str
    role: Role
    old: MachineFile | None
    new: MachineFile | None


def effects_on_installed(old: Fleet, new: Fleet, snapshot: Snapshot) -> tuple[Difference, ...]:
    """Return what becomes of each machine that Talos is installed on, sorted by name."""
    installed = [one for one in snapshot.by_id.values() if one.phase in _ON_DISK]
    return _effects(old, new, (found for one in installed if (found := _place_of(one, old, new))))


def effects_on_listed(old: Fleet, new: Fleet) -> tuple[Difference, ...]:
    """Return what becomes of each machine that both list with a role, as far as it has joined; sorted by name."""
    before = {one.name: one for one in old.listed}
    places = (
        (one.name, _Place(one.layer, one.file.role, before[one.name].file, one.file))
        for one in new.listed
        if one.layer and one.file.role and one.name in before and before[one.name].layer == one.layer
    )
    return _effects(old, new, places)


def _place_of(machine: Machine, old: Fleet, new: Fleet) -> tuple[str, _Place] | None:
    was, will = listed_as(machine, old), listed_as(machine, new)
    layer = will.layer if will else machine.assignment.layer if machine.assignment else None
    name, role = name_of(machine, new), role_of(machine, will)
    if not layer or not name or not role:
        return None
    return name, _Place(layer, role, was.file if was else None, will.file if will else None)


def _effects(old: Fleet, new: Fleet, places: Iterable[tuple[str, _Place]]) -> tuple[Difference, ...]:
    """Compare each kind of place once: a fleet has many machines, and few kinds."""
    known: dict[object, str] = {}
    found = []
    for name, place in places:
        if not (old.makes_configurations(place.layer) and new.makes_configurations(place.layer)):
            continue
        patches = [_patches(fleet, place, file) for fleet, file in _sides(old, new, place)]
        node = node_name(name, chain(*patches))
        key = (place.layer, place.role, node, *patches)
        if key not in known:
            known[key] = _compared(old, new, place, node)
        if known[key]:
            found.append(Difference(name, f"its configuration changes {known[key]}"))
    return tuple(sorted(found, key=lambda one: one.machine))


def _sides(old: Fleet, new: Fleet, place: _Place) -> tuple[tuple[Fleet, MachineFile | None], ...]:
    return (old, place.old), (new, place.new)


def _compared(old: Fleet, new: Fleet, place: _Place, node: str) -> str:
    try:
        before, after = (_documents(fleet, place, file, node) for fleet, file in _sides(old, new, place))
        versions = (layer.talos.version for fleet in (old, new) if (layer := fleet.talos(place.layer)))
        told = words(changes(before, after, *versions).fields)
    except ConfigurationError:  # such as a version that is not chosen yet
        return ""
    was, will = (_sealed(_patches(fleet, place, file)) for fleet, file in _sides(old, new, place))
    return "; ".join(filter(None, (told, _SEALED if was != will else "")))


def _documents(fleet: Fleet, place: _Place, file: MachineFile | None, node: str) -> tuple[Document, ...]:
    machine = Node(name=node, layer=place.layer, role=place.role, macs=(_MAC,), disk=_DISK)
    cluster = cluster_facts(place.layer, fleet, STAND_IN)
    made = documents_of(cluster, machine_facts(machine, fleet, _AROUND))
    clear = takewhile(lambda patch: not is_sealed(patch.text), _patches(fleet, place, file))
    return load_documents(dump_documents(patched(made, clear, cluster.contract)))


def _patches(fleet: Fleet, place: _Place, file: MachineFile | None) -> tuple[PatchFile, ...]:
    layer = fleet.talos(place.layer)
    return patches_of(layer, place.role, file, fleet.texts) if layer else ()


def _sealed(patches: tuple[PatchFile, ...]) -> list[PatchFile]:
    return [one for one in patches if is_sealed(one.text)]
