"""What a k3s cluster's API tells of its nodes. Pure.

k3s itself writes into annotations of a Node with which options it was started, from its command line and its files
(k3s, ``pkg/nodeconfig``); values of secrets are masked there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from msgspec import Struct

NODES = "/api/v1/nodes"
API_SERVICE = "/api/v1/namespaces/default/services/kubernetes"
ADDONS = "/apis/k3s.cattle.io/v1/namespaces/kube-system/addons"
LONGHORN_NODES = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system/nodes"
PATHS = (NODES, API_SERVICE, ADDONS, LONGHORN_NODES)
"""All that is read."""

_LEADS = "node-role.kubernetes.io/control-plane"
_HAS_ETCD = "node-role.kubernetes.io/etcd"
_ARGUMENTS, _ENVIRONMENT = "k3s.io/node-args", "k3s.io/node-env"
_MANIFESTS = "/var/lib/rancher/k3s/server/manifests/"
_PACKAGED = frozenset(
    ["ccm", "coredns", "local-storage", "metrics-server", "rolebindings", "runtimes", "traefik"]
)
"""Names of manifests, or of folders with some, that k3s brings (k3s, ``manifests``)."""
_OF_KUBERNETES = ("kubernetes.io", "k8s.io", "k3s.io", "cattle.io", "longhorn.io")
"""Ends of the domains of labels and taints that programs set."""

Object = Mapping[str, Any]
Options = Mapping[str, tuple[str, ...]]
"""By option of k3s, without ``--``, its values."""


class ObservedNode(Struct, frozen=True, kw_only=True):
    """One Node."""

    name: str
    leads: bool
    has_etcd: bool
    address: IPv4Address | None
    version: str
    """k3s', as ``v1.36.3+k3s1``."""
    created: str
    """When it joined, as RFC 3339 has it."""
    options: Options | None
    """None where the Node does not tell them."""
    environment: frozenset[str] = frozenset()
    """Names of the variables by which k3s got options."""
    labels: frozenset[str] = frozenset()
    """Labels that no program sets, as ``KEY=VALUE``."""
    taints: frozenset[str] = frozenset()
    """Taints that no program sets, as ``KEY=VALUE:EFFECT``."""
    longhorn: tuple[str, ...] = ()
    """The folders in which Longhorn has its volumes."""


class ObservedCluster(Struct, frozen=True, kw_only=True):
    """All of them, by name, and what was put into the cluster by hand."""

    nodes: tuple[ObservedNode, ...]
    service_address: str = ""
    """The address of the Service ``kubernetes``, the first of the network of services."""
    manifests: tuple[str, ...] = ()
    """Files in a server's directory of manifests that k3s does not bring."""

    @property
    def servers(self) -> tuple[ObservedNode, ...]:
        """Those that hold the cluster's state."""
        return tuple(one for one in self.nodes if one.leads)


def observed(found: Mapping[str, Object]) -> ObservedCluster:
    """Return what the answers for ``PATHS`` tell; an empty one is of what is not there."""
    disks = {_name(one): tuple(_folders(one)) for one in _items(found[LONGHORN_NODES])}
    nodes = (_node(one, disks.get(_name(one), ())) for one in _items(found[NODES]))
    sources = {str(_part(one, "spec").get("source", "")) for one in _items(found[ADDONS])}
    return ObservedCluster(
        nodes=tuple(sorted(nodes, key=lambda one: one.name)),
        service_address=str(_part(found[API_SERVICE], "spec").get("clusterIP", "")),
        manifests=tuple(sorted(source for source in sources if not _is_packaged(source))),
    )


def _node(found: Object, longhorn: tuple[str, ...]) -> ObservedNode:
    metadata, status = _part(found, "metadata"), _part(found, "status")
    labels, notes = _part(metadata, "labels"), _part(metadata, "annotations")
    taints = _part(found, "spec").get("taints")
    return ObservedNode(
        name=_name(found),
        leads=_LEADS in labels,
        has_etcd=_HAS_ETCD in labels,
        address=_address(status.get("addresses")),
        version=str(_part(status, "nodeInfo").get("kubeletVersion", "")),
        created=str(metadata.get("creationTimestamp", "")),
        options=_options(_json(notes.get(_ARGUMENTS))),
        environment=frozenset(map(str, _json(notes.get(_ENVIRONMENT)) or ())),
        labels=frozenset(f"{key}={value}" for key, value in labels.items() if not _is_of_programs(key)),
        taints=frozenset(
            f"{one.get('key')}={one.get('value', '')}:{one.get('effect')}"
            for one in (taints if isinstance(taints, list) else ())
            if not _is_of_programs(str(one.get("key")))
        ),
        longhorn=longhorn,
    )


def _options(arguments: Any) -> Options | None:
    """Return the options among arguments, which have values of their own; a flag without one is ``true``."""
    if not isinstance(arguments, list) or not arguments:
        return None
    found: dict[str, tuple[str, ...]] = {}
    words = [str(one) for one in arguments[1:]]
    for number, word in enumerate(words):
        if word.startswith("--"):
            option, _, value = word.removeprefix("--").partition("=")
            following = words[number + 1] if number + 1 < len(words) else "--"
            value = value or ("true" if following.startswith("--") else following)
            found[option] = (*found.get(option, ()), value)
    return found


def _address(addresses: Any) -> IPv4Address | None:
    for one in addresses if isinstance(addresses, list) else ():
        if one.get("type") == "InternalIP":
            try:
                return IPv4Address(str(one.get("address")))
            except AddressValueError:
                continue
    return None


def _is_of_programs(key: str) -> bool:
    domain = key.rpartition("/")[0]
    return any(domain == one or domain.endswith(f".{one}") for one in _OF_KUBERNETES)


def _is_packaged(source: str) -> bool:
    return source.removeprefix(_MANIFESTS).partition("/")[0].partition(".")[0] in _PACKAGED


def _folders(longhorn_node: Object) -> Iterator[str]:
    disks = _part(_part(longhorn_node, "spec"), "disks").values()
    return (str(disk.get("path")) for disk in disks if isinstance(disk, Mapping))


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _items(found: Object) -> Iterable[Object]:
    items = found.get("items")
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []


def _name(found: Object) -> str:
    return str(_part(found, "metadata").get("name", ""))


def _part(found: Object, key: str) -> Object:
    part = found.get(key)
    return part if isinstance(part, Mapping) else {}
