"""What a commit changes of the configurations of machines that run Talos, and what that takes. Pure.

What only a machine's own daemon knows, such as its disk and its secrets, is the same before and after: others stand in
for it.
"""

from ipaddress import IPv4Address, IPv4Network
from itertools import chain, takewhile

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet, MachineFile
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.layers.arda.changes import changes, words
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.configuration.stand_in import STAND_IN
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Document, dump_documents, load_documents
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings, cluster_facts, machine_facts
from iluvatar_pxe.layers.arda.patched import PatchFile, node_name, patched, patches_of
from iluvatar_pxe.layers.place import Place

_AROUND = Surroundings(here=IPv4Address("192.0.2.1"), network=IPv4Network("0.0.0.0/0"))
_DISK = DiskChoice(serial="serial", size=1, path="/dev/sda")
_MAC = "52:54:00:00:00:01"
_SEALED = "sealed patches, which only a daemon can compare"


class TalosEffects:
    """Compares each kind of place once: a fleet has many machines, and few kinds."""

    def __init__(self, old: Fleet, new: Fleet) -> None:
        self._old, self._new = old, new
        self._known: dict[object, str] = {}

    def told(self, name: str, place: Place) -> str:
        """Return what becomes of a machine, in words; nothing where nothing changes, or Talos is not its system."""
        old, new = self._old, self._new
        if not (old.makes_configurations(place.layer) and new.makes_configurations(place.layer)):
            return ""
        patches = [_patches(fleet, place, file) for fleet, file in _sides(old, new, place)]
        node = node_name(name, chain(*patches))
        key = (place.layer, place.role, node, *patches)
        if key not in self._known:
            self._known[key] = _compared(old, new, place, node)
        return f"its configuration changes {self._known[key]}" if self._known[key] else ""


def _sides(old: Fleet, new: Fleet, place: Place) -> tuple[tuple[Fleet, MachineFile | None], ...]:
    return (old, place.old), (new, place.new)


def _compared(old: Fleet, new: Fleet, place: Place, node: str) -> str:
    try:
        before, after = (_documents(fleet, place, file, node) for fleet, file in _sides(old, new, place))
        versions = (layer.talos.version for fleet in (old, new) if (layer := fleet.talos(place.layer)))
        told = words(changes(before, after, *versions).fields)
    except ConfigurationError:  # such as a version that is not chosen yet
        return ""
    was, will = (_sealed(_patches(fleet, place, file)) for fleet, file in _sides(old, new, place))
    return "; ".join(filter(None, (told, _SEALED if was != will else "")))


def _documents(fleet: Fleet, place: Place, file: MachineFile | None, node: str) -> tuple[Document, ...]:
    machine = Node(name=node, layer=place.layer, role=place.role, macs=(_MAC,), disk=_DISK)
    cluster = cluster_facts(place.layer, fleet, STAND_IN)
    made = documents_of(cluster, machine_facts(machine, fleet, _AROUND))
    clear = takewhile(lambda patch: not is_sealed(patch.text), _patches(fleet, place, file))
    return load_documents(dump_documents(patched(made, clear, cluster.contract)))


def _patches(fleet: Fleet, place: Place, file: MachineFile | None) -> tuple[PatchFile, ...]:
    layer = fleet.talos(place.layer)
    return patches_of(layer, place.role, file, fleet.texts) if layer else ()


def _sealed(patches: tuple[PatchFile, ...]) -> list[PatchFile]:
    return [one for one in patches if is_sealed(one.text)]
