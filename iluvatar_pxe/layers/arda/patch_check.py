"""What Talos would refuse of the configurations that a fleet's patches make, before any machine gets one. Pure.

What a machine gets besides, such as its disk and its secrets, has no part in that: others stand in for it.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address
from itertools import takewhile
from typing import NamedTuple

from iluvatar_pxe.fleet.layers import TalosLayer
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Findings, Location
from iluvatar_pxe.layers.arda.bundle import Bundle, KeyPair
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, Document
from iluvatar_pxe.layers.arda.endpoint import endpoint_of
from iluvatar_pxe.layers.arda.patched import PatchFile, patches_of
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import Addition, Deletion, Patch, parse_patch
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.layers.arda.validation import Fault, faults
from iluvatar_pxe.machines.states import Role

MOST_CHECKED = 1_024
"""Results that are remembered: from one commit to the next most patches stay as they are."""
Schemas = Callable[[Contract], Schema]
_Line = tuple[str, int, str]
"""A file, a line there, and what is wrong with it."""


class _Cluster(NamedTuple):
    """What configurations depend on besides their patches."""

    name: str
    endpoint: str
    kubernetes: str | None
    vip: IPv4Address | None


_PAIR = KeyPair("certificate", "key")
_BUNDLE = Bundle("id", "secret", "a.b", "key", "a.b", _PAIR, _PAIR, _PAIR, "key", _PAIR)
_DISK = DiskChoice(serial="serial", size=1, path="/dev/sda")


def check_patches(fleet: Fleet, schemas: Schemas) -> list[str]:
    """Return one line for each fault, with file and line, of all layers' roles and of listed machines with own patches.

    Neither a sealed patch nor those after it are checked here.
    """
    findings = Findings()
    for name, role, patches in _wanted(fleet):
        layer = fleet.talos(name)
        for file, line, text in (
            _found(fleet, name, layer, role, patches, schemas) if layer and patches else ()
        ):
            findings.add(file, line, text)
    return findings.lines


def _wanted(fleet: Fleet) -> Iterator[tuple[str, Role, tuple[PatchFile, ...]]]:
    """Yield the patches of each role of each layer, and of listed machines with patches of their own."""
    for name in fleet.layers:
        if layer := fleet.talos(name):
            for role in _made(layer):
                yield name, role, _readable(patches_of(layer, role, None, fleet.texts))
    for machine in fleet.listed:
        name, file = machine.layer or "", machine.file
        if (layer := fleet.talos(name)) and file.patches and not file.config:
            for role in _made(layer) if file.role is None else {file.role}.intersection(_made(layer)):
                yield name, role, _readable(patches_of(layer, role, file, fleet.texts))


def _made(layer: TalosLayer) -> tuple[Role, ...]:
    """Return the roles whose configurations the daemon makes: none where the owner wrote some, which are served as they are."""
    return () if layer.config else layer.roles


def _readable(patches: tuple[PatchFile, ...]) -> tuple[PatchFile, ...]:
    return tuple(takewhile(lambda patch: not is_sealed(patch.text), patches))


def _found(
    fleet: Fleet, name: str, layer: TalosLayer, role: Role, patches: tuple[PatchFile, ...], schemas: Schemas
) -> Iterable[_Line]:
    cluster = _Cluster(name, endpoint_of(name, fleet), layer.talos.kubernetes, layer.vip)
    contracts = [Contract.of(layer.talos.version)] if layer.talos.is_chosen else list(Contract)
    first, *others = (_of_role(cluster, role, patches, schemas(one)) for one in contracts)
    return [line for line in first if all(line in other for other in others)]


@lru_cache(maxsize=MOST_CHECKED)
def _of_role(
    cluster: _Cluster, role: Role, patches: tuple[PatchFile, ...], schema: Schema
) -> tuple[_Line, ...]:
    return tuple(_checked(_base(cluster, role, schema.contract), role, patches, schema))


def _base(cluster: _Cluster, role: Role, contract: Contract) -> tuple[Document, ...]:
    facts = ClusterFacts(
        name=cluster.name,
        endpoint=cluster.endpoint,
        contract=contract,
        kubernetes=cluster.kubernetes or "v1.36.3",
        bundle=_BUNDLE,
        vip=cluster.vip,
    )
    machine = MachineFacts(
        role=role, hostname="node", disk=_DISK, installer_image="image", macs=("52:54:00:00:00:01",)
    )
    return documents_of(facts, machine)


def _checked(
    documents: tuple[Document, ...], role: Role, patches: tuple[PatchFile, ...], schema: Schema
) -> Iterator[_Line]:
    """Apply patch after patch, up to the first that is faulty by itself."""
    known = set(faults(documents, schema, role))
    for path, text in patches:
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
        new = [fault for fault in faults(documents, schema, role) if fault not in known]
        yield from ((path, _line(fault, patch), str(fault)) for fault in new)
        known.update(new)


def _own(patch: Patch, schema: Schema) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a patch by itself, where it may lack anything."""
    for step in patch:
        if isinstance(step, Addition):
            for location, text in schema.findings(step.written.value, is_part=True):
                yield step.written.line_of(location), str(Fault(step.document, location, text))


def _line(fault: Fault, patch: Patch) -> int:
    """Return the line in a patch that makes a fault of the whole, as far as that can be told."""
    for step in patch:
        if step.document == fault.document and isinstance(step, Addition):
            return step.written.line_of(_up_to_list(fault.location))
        if step.document == fault.document and isinstance(step, Deletion):
            return step.line
    return 1


def _up_to_list(location: Location) -> Location:
    """Items of a list have other indexes in the whole."""
    return tuple(takewhile(lambda part: isinstance(part, str), location))
