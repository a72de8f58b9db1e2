"""What Talos would refuse of the configurations that a fleet's patches make, before any machine gets one. Pure.

What a machine gets besides, such as its disk and its secrets, has no part in that: others stand in for it.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from itertools import takewhile
from typing import NamedTuple

from iluvatar_pxe.fleet.layers import TalosLayer
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Findings
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, Document, dump_documents, load_documents
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings, cluster_facts, machine_facts
from iluvatar_pxe.layers.arda.patched import ANY_NODE, PatchFile, node_name, patches_of
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.lines import line_in
from iluvatar_pxe.layers.arda.patching.patch import Addition, Patch, parse_patch
from iluvatar_pxe.layers.arda.reserved import taken_over
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.layers.arda.validation import Fault, faults
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

MOST_CHECKED = 1_024
"""Results that are remembered: from one commit to the next most patches stay as they are."""
Schemas = Callable[[Contract], Schema]
_Line = tuple[str, int, str]
"""A file, a line there, and what is wrong with it."""


class _Wanted(NamedTuple):
    """A configuration that the fleet's patches make."""

    name: str
    layer: TalosLayer
    role: Role
    patches: tuple[PatchFile, ...]
    node: str
    """The machine's name, as far as that makes a difference."""


_PAIR = KeyPair("certificate", "key")
_BUNDLE = Bundle("id", "secret", "a.b", "key", "a.b", _PAIR, _PAIR, _PAIR, "key", _PAIR)
_DISK = DiskChoice(serial="stands-for-any-disk", size=1, path="/dev/sda")
_AROUND = Surroundings(here=IPv4Address("192.0.2.1"), network=IPv4Network("0.0.0.0/0"))
_MAC = "52:54:00:00:00:01"


def check_patches(fleet: Fleet, schemas: Schemas) -> list[str]:
    """Return one line for each fault, with file and line, of all layers' roles and of listed machines with own patches.

    Neither a sealed patch nor those after it are checked here.
    """
    findings = Findings()
    for wanted in _all_wanted(fleet):
        for file, line, text in _found(fleet, wanted, schemas) if wanted.patches else ():
            findings.add(file, line, text)
    return findings.lines


def _all_wanted(fleet: Fleet) -> Iterator[_Wanted]:
    for name in fleet.layers:
        if layer := fleet.talos(name):
            yield from (_wanted(name, layer, role, None, fleet) for role in _made(layer))
    for machine in fleet.listed:
        name, file = machine.layer or "", machine.file
        if (layer := fleet.talos(name)) and file.patches and not file.config:
            roles = {file.role}.intersection(_made(layer)) if file.role else _made(layer)
            yield from (_wanted(name, layer, role, machine, fleet) for role in roles)


def _made(layer: TalosLayer) -> tuple[Role, ...]:
    """Return the roles whose configurations the daemon makes: none where the owner wrote some, which are served as they are."""
    return () if layer.config else layer.roles


def _wanted(name: str, layer: TalosLayer, role: Role, machine: ListedMachine | None, fleet: Fleet) -> _Wanted:
    every = patches_of(layer, role, machine.file if machine else None, fleet.texts)
    patches = tuple(takewhile(lambda patch: not is_sealed(patch.text), every))
    node = node_name(machine.name, patches) if machine else ANY_NODE
    return _Wanted(name, layer, role, patches, node)


def _found(fleet: Fleet, wanted: _Wanted, schemas: Schemas) -> Iterable[_Line]:
    if wanted.layer.talos.is_chosen:
        schema = schemas(Contract.of(wanted.layer.talos.version))
        return _of_role(dump_documents(_base(fleet, wanted)), wanted.role, wanted.patches, schema)
    found = [tuple(_found(*_with_version(fleet, wanted, f"{one}.0"), schemas)) for one in Contract]
    newest = found[-1] if all(found) else ()
    return [line for line in newest if all(line in other for other in found)] or newest


def _with_version(fleet: Fleet, wanted: _Wanted, version: str) -> tuple[Fleet, _Wanted]:
    """Return a fleet whose layer has a version that may be the one that is chosen."""
    talos = wanted.layer.talos.model_copy(update={"version": version})
    layer = wanted.layer.model_copy(update={"talos": talos})
    return replace(fleet, layers={**fleet.layers, wanted.name: layer}), wanted._replace(layer=layer)


@lru_cache(maxsize=MOST_CHECKED)
def _of_role(base: str, role: Role, patches: tuple[PatchFile, ...], schema: Schema) -> tuple[_Line, ...]:
    return tuple(_checked(load_documents(base), role, patches, schema))


def _base(fleet: Fleet, wanted: _Wanted) -> tuple[Document, ...]:
    node = Node(name=wanted.node, layer=wanted.name, role=wanted.role, macs=(_MAC,), disk=_DISK)
    return documents_of(cluster_facts(wanted.name, fleet, _BUNDLE), machine_facts(node, fleet, _AROUND))


def _checked(
    documents: tuple[Document, ...], role: Role, patches: tuple[PatchFile, ...], schema: Schema
) -> Iterator[_Line]:
    """Apply patch after patch, up to the first that is faulty by itself."""
    known = set(faults(documents, schema, role))
    for path, text in patches:
        before = documents
        try:
            patch = parse_patch(text)
            own = list(_own(patch, schema))
            documents = apply_patch(documents, patch, schema.contract)
        except DocumentError as error:
            yield path, error.line, error.text
            return
        if own:
            yield from ((path, line, fault) for line, fault in own)
            return
        reserved = taken_over(before, documents)
        new = [fault for fault in faults(documents, schema, role) if fault not in known]
        told = (*reserved, *(fault for fault in new if not any(map(fault.is_within, reserved))))
        yield from ((path, line_in(patch, one.document, one.location), str(one)) for one in told)
        known.update(new)


def _own(patch: Patch, schema: Schema) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a patch by itself, where it may lack anything."""
    for step in patch:
        if isinstance(step, Addition):
            for location, text in schema.findings(step.written.value, is_part=True):
                yield step.written.line_of(location), str(Fault(step.document, location, text))
        elif unknown := schema.unknown_key(step.document.kind, step.spot.location):
            yield step.line, str(Fault(step.document, *unknown))
