"""The commit that takes a k3s cluster which exists into the fleet's files. Pure but for sealing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from iluvatar_pxe.errors import FleetError, OperationError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.fleet.source import cluster_file, cluster_secrets, layer_file
from iluvatar_pxe.gitops.changes.founding import cluster_record
from iluvatar_pxe.gitops.changes.machine_file import machine_path
from iluvatar_pxe.gitops.changes.yaml_text import dumped, loaded, quoted
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision, parse_texts
from iluvatar_pxe.gitops.secrets.sealing import seal
from iluvatar_pxe.layers.ainur.adoption.observed import ObservedCluster, ObservedNode
from iluvatar_pxe.layers.ainur.adoption.options import translated
from iluvatar_pxe.machines.states import LayerKind, Role

_LAYER_HEAD = """\
# yaml-language-server: $schema=../schemas/layer.schema.json
# Written by iluvatar-pxe when this layer's cluster was adopted. Edit it freely.
"""
_MACHINE_HEAD = """\
# Written by iluvatar-pxe when this machine's cluster was adopted. Edit it freely, but keep the MACs.
# It boots its own disk, as before, until the line with intent is removed: then its next boot installs it.
"""


class Adopted(Struct, frozen=True, kw_only=True):
    """A cluster that is to be taken into the fleet, as ``layer``."""

    layer: str
    cluster: ObservedCluster
    macs: Mapping[str, str]
    """By the names of its nodes, as far as they are known; the others get no file."""
    fingerprint: str
    """Of the CA among its secrets."""
    at: datetime

    @property
    def founder(self) -> str:
        """The server that joined first."""
        return min(self.cluster.servers, key=lambda one: (one.created, one.name)).name

    @property
    def version(self) -> str:
        """The highest version of k3s that a server runs."""
        return max((one.version for one in self.cluster.servers), key=_number)


def adopted_files(revision: Revision, adopted: Adopted) -> dict[str, bytes]:
    """Return by path the files but for the sealed secrets, in order; raises OperationError where they do not fit."""
    layer, fleet = adopted.layer, revision.fleet
    if layer in fleet.clusters:
        raise OperationError(
            f"{layer}: has the secrets of a cluster already ({cluster_file(layer)}); adopt it under another name"
        )
    texts = {layer_file(layer): _layer_text(revision, adopted)}
    for node in adopted.cluster.nodes:
        path = machine_path(node.name)
        if mac := adopted.macs.get(node.name):
            _check_free(revision, node, mac, layer)
            texts |= {} if path in revision.tree.texts else {path: _machine_text(node, mac, layer)}
    _check(revision, texts)
    return {path: text.encode() for path, text in texts.items()}


def adopt(revision: Revision, adopted: Adopted, secrets: str) -> Changes:
    """Return the commit; raises OperationError as ``adopted_files``, and SealError where nobody could open the secrets."""
    files: dict[str, bytes | None] = {**adopted_files(revision, adopted)}
    cluster = ClusterFile.model_validate(
        {
            "layer": adopted.layer,
            "caFingerprint": adopted.fingerprint,
            "founder": adopted.founder,
            "founded": f"{adopted.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "version": adopted.version,
        }
    )
    files[cluster_file(adopted.layer)] = cluster_record(cluster)
    files[cluster_secrets(adopted.layer)] = seal(secrets.encode(), revision.fleet.recipients.keys)
    return Changes(f"{adopted.layer} is adopted from a cluster that exists\n", files)


def _layer_text(revision: Revision, adopted: Adopted) -> str:
    """Return the layer's file; one that is there already gets other servers and options only."""
    servers = len(adopted.cluster.servers)
    options = translated(adopted.cluster.nodes).k3s
    told: dict[str, Any] = {
        "servers": servers + 1 - servers % 2,
        "k3s": {"version": adopted.version, **options},
    }
    existing = revision.tree.texts.get(layer_file(adopted.layer))
    if existing is None:
        return _LAYER_HEAD + dumped({"kind": LayerKind.K3S.value, **told})
    layer = revision.fleet.layers[adopted.layer]
    if layer.kind is not LayerKind.K3S:
        raise OperationError(
            f"{layer_file(adopted.layer)}: is of kind {layer.kind}; adopt it under another name"
        )
    try:
        document = loaded(existing)
        document.update(told)
        return dumped(document)
    except (ValueError, TypeError) as error:
        raise OperationError(
            f"{layer_file(adopted.layer)}: cannot be edited; write it in the usual form, or remove it"
        ) from error


def _number(version: str) -> tuple[int, ...]:
    plain, _, build = version.removeprefix("v").partition("+k3s")
    return tuple(int(part) for part in (*plain.split("."), build))


def _machine_text(node: ObservedNode, mac: str, layer: str) -> str:
    document = {
        "match": {"macs": [quoted(mac)]},
        "layer": layer,
        "role": (Role.SERVER if node.leads else Role.AGENT).value,
        "address": str(node.address),
        "intent": "local",
    }
    return _MACHINE_HEAD + dumped(document)


def _check_free(revision: Revision, node: ObservedNode, mac: str, layer: str) -> None:
    """Raise OperationError where a file of the fleet has this name or MAC, and is of something else."""
    for one in revision.fleet.listed:
        path = machine_path(one.name)
        if one.name == node.name and (one.layer != layer or mac not in one.file.match.macs):
            raise OperationError(
                f"{path}: lists another machine than the node {node.name}; rename it, or give it layer {layer} and MAC {mac}"
            )
        if one.name != node.name and mac in one.file.match.macs:
            raise OperationError(
                f"{path}: has the MAC {mac} of the node {node.name}; rename the file to that"
            )


def _check(revision: Revision, texts: Mapping[str, str]) -> None:
    """Raise OperationError where the fleet would be refused with these files."""
    try:
        parse_texts({**revision.tree.texts, **texts}, revision.tree.faults)
    except FleetError as error:
        raise OperationError(f"the fleet would be refused: {'; '.join(error.findings)}") from error
