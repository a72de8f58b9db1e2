"""The few calls of a cluster's Kubernetes API that the daemon makes, each to one control plane.

All raise KubernetesError: one line that names the API server, and says what to do.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.api_server import PORT, ApiServer
from iluvatar_pxe.layers.kubernetes.longhorn import Replica, Volume
from iluvatar_pxe.layers.kubernetes.node import Node

DRAIN_SECONDS = 300.0
"""For all pods of a node to leave it, as ``kubectl drain`` and talosctl wait."""
_PAUSE = 2.0
_CORDONED = "iluvatar-pxe/cordoned"
"""Annotation of a Node that the daemon has cordoned: one that a person cordoned stays so."""
_NOTE = "iluvatar-pxe/note"
"""Annotation of a Node that says what it was cordoned for."""
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
_LEASE = "iluvatar-pxe-restart"
"""Made by whoever is first, so that all daemons of a fleet together change one machine at a time."""
REMOVAL = "iluvatar-pxe-removal"
"""A Lease that is held by the one daemon that takes machines out of the cluster."""
JOINING = "iluvatar-pxe-joining"
"""A Lease that is held by the one server that joins the cluster."""
_MIRROR = "kubernetes.io/config.mirror"
"""Annotation of the pods that a kubelet runs without the API server."""
_RUNS_WITH = "talos.dev/config-version"
"""Annotation of the static pods that Talos makes."""
_REPLICAS = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system/replicas"
_VOLUMES = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system/volumes"
_LEADS = "node-role.kubernetes.io/control-plane"
"""Label of a Node."""
_LATER = "it is tried again"


class Lease(Struct, frozen=True):
    """Who does something that only one daemon may do. ``version`` is another one each time that it is renewed."""

    holder: str
    version: str


async def delete_node(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> None:
    """Delete a Node; one that is not there is fine."""
    async with ApiServer.at(address, port, credentials, f"later: kubectl delete node {name}") as server:
        await server.call("DELETE", f"/api/v1/nodes/{name}")


async def nodes(address: str, credentials: Credentials, *, port: int = PORT) -> tuple[Node, ...]:
    """Return all Nodes."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        return tuple(map(_node, await server.listed("/api/v1/nodes")))


async def cluster_id(address: str, credentials: Credentials, *, port: int = PORT) -> str:
    """Return what tells a cluster from any other one: the UID of its namespace ``kube-system``; empty while it has none."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        found = await server.call("GET", "/api/v1/namespaces/kube-system")
    return str(_part(found, "metadata").get("uid", ""))


async def has_node_password(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> bool:
    """Say whether k3s keeps the hash of a node's password, which whoever joins by this name has to know."""
    path = f"/api/v1/namespaces/kube-system/secrets/{name}.node-password.k3s"
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        return bool(await server.call("GET", path))


async def replicas(address: str, credentials: Credentials, *, port: int = PORT) -> tuple[Replica, ...]:
    """Return the replicas of Longhorn's volumes; none where Longhorn is not installed."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        return tuple(Replica.of(_part(one, "spec")) for one in await server.listed(_REPLICAS))


async def volumes(address: str, credentials: Credentials, *, port: int = PORT) -> tuple[Volume, ...]:
    """Return Longhorn's volumes; none where Longhorn is not installed."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        return tuple(map(Volume.of, await server.listed(_VOLUMES)))


async def cordon(address: str, credentials: Credentials, name: str, note: str, *, port: int = PORT) -> None:
    """Have no pod start on a node, and note what for; a Node that is not there is fine."""
    async with ApiServer.at(address, port, credentials, f"later: kubectl cordon {name}") as server:
        found = await server.call("GET", f"/api/v1/nodes/{name}")
        was_free = not _part(found, "spec").get("unschedulable")
        notes = {_NOTE: note} | ({_CORDONED: "true"} if was_free else {})
        await server.change(name, {"metadata": {"annotations": notes}, "spec": {"unschedulable": True}})


async def uncordon(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> None:
    """Undo ``cordon``: a node that was cordoned before it stays so."""
    async with ApiServer.at(address, port, credentials, f"later: kubectl uncordon {name}") as server:
        found = await server.call("GET", f"/api/v1/nodes/{name}")
        is_ours = _CORDONED in _annotations(found)
        change: dict[str, object] = {"metadata": {"annotations": {_NOTE: None, _CORDONED: None}}}
        await server.change(name, change | ({"spec": {"unschedulable": None}} if is_ours else {}))


async def evict(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> tuple[str, ...]:
    """Evict the pods of a node, and return those that are still there, as ``NAMESPACE/NAME``.

    Pods of DaemonSets and of the kubelet itself stay. A PodDisruptionBudget may keep a pod for now: call it again.
    Those that Kubernetes refuses to evict come first, with its words.
    """
    async with ApiServer.at(address, port, credentials, f"later: kubectl drain {name}") as server:
        found = await server.listed(f"/api/v1/pods?fieldSelector=spec.nodeName={name}")
        left: list[str] = []
        refused: list[str] = []
        for pod in (one for one in found if not _stays(one)):
            leaves = _part(pod, "metadata").get("deletionTimestamp")
            why = "" if leaves else await server.evict(_part(pod, "metadata"))
            (refused if why else left).append(f"{_title(pod)} ({why})" if why else _title(pod))
        return (*sorted(refused), *sorted(left))


async def static_pods(
    address: str, credentials: Credentials, node: str, *, port: int = PORT
) -> Mapping[str, str]:
    """Return by the names of the static pods of a node that are ready the versions of what they run with."""
    path = f"/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName={node}"
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        ready = [_part(one, "metadata") for one in await server.listed(path) if _is_ready(one)]
    return {
        str(_part(one, "labels").get("k8s-app")): str(_annotations({"metadata": one})[_RUNS_WITH])
        for one in ready
        if _RUNS_WITH in _annotations({"metadata": one})
    }


async def claimant(address: str, credentials: Credentials, *, port: int = PORT) -> str:
    """Return the machine whose turn it is to be changed; empty where it is nobody's."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        return str(_part(await server.call("GET", f"{_LEASES}/{_LEASE}"), "spec").get("holderIdentity", ""))


async def claim(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> None:
    """Take the turn for a machine; where it is another one's, that keeps it."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": _LEASE, "namespace": "kube-system"},
        "spec": {"holderIdentity": name},
    }
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        await server.call("POST", _LEASES, lease)


async def release(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> None:
    """Let the next machine have the turn, if it is this one's; another one that has it since keeps it."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        found = await server.call("GET", f"{_LEASES}/{_LEASE}")
        if _part(found, "spec").get("holderIdentity") == name:
            seen = {key: _part(found, "metadata").get(key) for key in ("uid", "resourceVersion")}
            await server.call("DELETE", f"{_LEASES}/{_LEASE}", {"preconditions": seen})


async def lease(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> Lease | None:
    """Return who holds a Lease; None where nobody ever did."""
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        found = await server.call("GET", f"{_LEASES}/{name}")
    version = _part(found, "metadata").get("resourceVersion")
    return Lease(str(_part(found, "spec").get("holderIdentity", "")), str(version)) if version else None


async def take_lease(
    address: str, credentials: Credentials, name: str, holder: str, seen: Lease | None, *, port: int = PORT
) -> bool:
    """Have a holder get a Lease, or keep it; False where somebody else has taken it since it was ``seen``."""
    metadata = {"name": name, "namespace": "kube-system"}
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    wanted = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata | ({"resourceVersion": seen.version} if seen else {}),
        "spec": {"holderIdentity": holder, "renewTime": now},
    }
    method, path = ("PUT", f"{_LEASES}/{name}") if seen else ("POST", _LEASES)
    async with ApiServer.at(address, port, credentials, _LATER) as server:
        return bool(await server.call(method, path, wanted))


async def drain(
    address: str,
    credentials: Credentials,
    name: str,
    *,
    seconds: float = DRAIN_SECONDS,
    port: int = PORT,
) -> tuple[str, ...]:
    """Evict the pods of a node until none is left, and return those that have not left in time."""
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        left = await evict(address, credentials, name, port=port)
        if not left or asyncio.get_running_loop().time() >= ends:
            return left
        await asyncio.sleep(min(_PAUSE, seconds))


def _node(found: Mapping[str, Any]) -> Node:
    return Node(
        name=str(_part(found, "metadata").get("name", "")),
        is_ready=_is_ready(found),
        is_unschedulable=bool(_part(found, "spec").get("unschedulable")),
        boot=str(_part(_part(found, "status"), "nodeInfo").get("bootID", "")),
        note=str(_annotations(found).get(_NOTE, "")),
        addresses=frozenset(_addresses(found)),
        version=str(_part(_part(found, "status"), "nodeInfo").get("kubeletVersion", "")),
        leads=_LEADS in _part(_part(found, "metadata"), "labels"),
    )


def _is_ready(found: Mapping[str, Any]) -> bool:
    """Say whether a Node or a pod is ready."""
    conditions = _part(found, "status").get("conditions")
    return any(
        (one.get("type"), one.get("status")) == ("Ready", "True")
        for one in (conditions if isinstance(conditions, list) else ())
    )


def _addresses(node: Mapping[str, Any]) -> Iterator[str]:
    found = _part(node, "status").get("addresses")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, Mapping) and one.get("type") == "InternalIP":
            yield str(one.get("address"))


def _stays(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod is bound to its node."""
    owners = _part(pod, "metadata").get("ownerReferences") or ()
    return _MIRROR in _annotations(pod) or any(one.get("kind") == "DaemonSet" for one in owners)


def _title(pod: Mapping[str, Any]) -> str:
    place = _part(pod, "metadata")
    return f"{place.get('namespace')}/{place.get('name')}"


def _annotations(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return _part(_part(found, "metadata"), "annotations")


def _part(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = found.get(key)
    return part if isinstance(part, Mapping) else {}
