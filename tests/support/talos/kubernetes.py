"""What the Kubernetes of a stand-in's cluster holds, and the few rules of it that a drain and a removal depend on.

Its objects are in memory, shared by the control planes, and gone when etcd is founded anew. Kubelets are the stand-ins'
own; a ReplicaSet and a DaemonSet replace a pod that is gone, as their controllers do.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

Object = dict[str, Any]
CORDONED_BY_TALOS = "talos.dev/cordoned"
"""Annotation of nodes that Talos itself cordoned, and uncordons at its next boot."""
MIRROR = "kubernetes.io/config.mirror"
CONFIG_VERSION = "talos.dev/config-version"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
STOP_SECONDS = 0.1
"""That a pod takes to stop, where its kubelet runs."""
LONGHORN = "longhorn-system"


@dataclass(frozen=True)
class Kubelet:
    """The kubelet of one boot."""

    is_on: Callable[[], bool]
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its Node is deleted: a kubelet registers once, when it starts."""


@dataclass
class Kubernetes:
    """One cluster's objects."""

    nodes: dict[str, Object] = field(default_factory=dict)
    pods: dict[tuple[str, str], Object] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    """PodDisruptionBudgets: of an app, how many of its pods have to run."""
    doubled: set[str] = field(default_factory=set)
    """Apps that two PodDisruptionBudgets select."""
    others: dict[str, dict[str, Object]] = field(default_factory=dict)
    """Custom resources by the plural of their kind, then by name."""
    leases: dict[str, Object] = field(default_factory=dict)
    """By name; of one namespace."""
    evicted: list[str] = field(default_factory=list)
    """Names of the pods that were evicted."""
    deleted: list[str] = field(default_factory=list)
    """Names of the nodes that were deleted."""
    _kubelets: dict[str, Kubelet] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def forget(self) -> None:
        """Have nothing, as behind an etcd that was founded anew."""
        for kubelet in self._kubelets.values():
            kubelet.lost.set()
        for held in (
            self.nodes,
            self.pods,
            self.budgets,
            self.doubled,
            self.others,
            self.leases,
            self._kubelets,
        ):
            held.clear()

    # What a node's own Talos does

    def register(self, name: str, kubelet: Kubelet, status: Object, *, is_control_plane: bool) -> None:
        """Have a kubelet start: its Node is made, or is there already and keeps what was set on it."""
        self._kubelets[name] = kubelet
        labels = {"kubernetes.io/hostname": name} | ({CONTROL_PLANE: ""} if is_control_plane else {})
        if name not in self.nodes:
            metadata = {**self._metadata(name, labels), "annotations": {}}
            self.nodes[name] = {"metadata": metadata, "spec": {}, "status": status}
        node = self.nodes[name]
        node["status"] = status
        if node["metadata"]["annotations"].pop(CORDONED_BY_TALOS, None):
            node["spec"].pop("unschedulable", None)
        for daemon in ("kube-flannel", "kube-proxy"):
            if not any(app_of(one) == daemon and node_of(one) == name for one in self.pods.values()):
                self.run(daemon, name, owner="DaemonSet", namespace="kube-system")

    def cordon(self, name: str) -> None:
        """Cordon a node as its own Talos does."""
        if name in self.nodes:
            self.nodes[name]["spec"]["unschedulable"] = True
            self.nodes[name]["metadata"]["annotations"][CORDONED_BY_TALOS] = "true"

    def is_ready(self, name: str) -> bool:
        """Say whether a node's kubelet posts its status."""
        return name in self.nodes and name in self._kubelets and self._kubelets[name].is_on()

    def mirror(self, app: str, node: str, version: int, *, is_ready: bool) -> None:
        """Show a static pod of a node, which runs with this version of Talos' configuration of it."""
        name = f"{app}-{node}"
        owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node, "controller": True}
        metadata = self._metadata(name, {"app": app, "k8s-app": app, "tier": "control-plane"})
        metadata |= {"namespace": "kube-system", "ownerReferences": [owner]}
        metadata["annotations"] = {MIRROR: "static", CONFIG_VERSION: str(version)}
        conditions = [{"type": "Ready", "status": str(is_ready)}]
        self.pods["kube-system", name] = {
            "metadata": metadata,
            "spec": {"nodeName": node, "containers": [{"name": app}]},
            "status": {"phase": "Running", "conditions": conditions},
        }

    # What tests put into it

    def run(
        self, app: str, node: str = "", *, owner: str = "ReplicaSet", namespace: str = "default"
    ) -> Object:
        """Run one pod of an app on a node, else where the scheduler has it; ``owner`` may be empty."""
        name = f"{app}-{next(self._numbers)}"
        metadata = {**self._metadata(name, {"app": app}), "namespace": namespace}
        if owner:
            metadata["ownerReferences"] = [
                {"apiVersion": "apps/v1", "kind": owner, "name": app, "uid": app, "controller": True}
            ]
        on = node or self._free_node()
        pod = {"metadata": metadata, "spec": {"containers": [{"name": app}]}, "status": {"phase": "Pending"}}
        if on:
            pod |= {"spec": {**pod["spec"], "nodeName": on}, "status": {"phase": "Running"}}
        self.pods[namespace, name] = pod
        return pod

    def store(self, volume: str, replicas: dict[str, bool]) -> None:
        """Have Longhorn keep a volume, with replicas on nodes; whether each is healthy."""
        healthy = all(replicas.values())
        robustness = "healthy" if healthy else "degraded" if any(replicas.values()) else "faulted"
        self.others.setdefault("replicas", {})
        self.others.setdefault("volumes", {})[volume] = {
            "metadata": {**self._metadata(volume, {}), "namespace": LONGHORN},
            "spec": {"numberOfReplicas": len(replicas)},
            "status": {"state": "attached", "robustness": robustness},
        }
        for node, is_healthy in replicas.items():
            name = f"{volume}-r-{next(self._numbers):08x}"
            labels = {"longhornnode": node, "longhornvolume": volume}
            self.others["replicas"][name] = {
                "metadata": {**self._metadata(name, labels), "namespace": LONGHORN},
                "spec": {
                    "nodeID": node,
                    "volumeName": volume,
                    "active": True,
                    "healthyAt": _now(),
                    "failedAt": "" if is_healthy else _now(),
                },
                "status": {"currentState": "running" if is_healthy else "stopped", "started": is_healthy},
            }

    # What the API does

    def shown(self, node: Object) -> Object:
        """Return a Node with the condition Ready as the node controller has it by now."""
        name = node["metadata"]["name"]
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        if not self.is_ready(name):
            ready |= {"status": "Unknown", "reason": "NodeStatusUnknown"}
        return {**node, "status": {**node["status"], "conditions": [ready]}}

    def touch(self, found: Object) -> None:
        """Give an object its next version."""
        found["metadata"]["resourceVersion"] = str(next(self._numbers))

    def delete_node(self, name: str) -> None:
        """Delete a Node; the pods on it are collected."""
        del self.nodes[name]
        self.deleted.append(name)
        if name in self._kubelets:
            self._kubelets.pop(name).lost.set()
        for key in [key for key, pod in self.pods.items() if node_of(pod) == name]:
            self._gone(key)

    def has_two_budgets(self, pod: Object) -> bool:
        return app_of(pod) in self.doubled and self._runs(pod)

    def may_evict(self, pod: Object) -> bool:
        """Say whether the app's budget allows it."""
        app = app_of(pod)
        if app not in self.budgets or not self._runs(pod):
            return True
        running = [one for one in self.pods.values() if app_of(one) == app and self._runs(one)]
        return len(running) > self.budgets[app]

    def evict(self, pod: Object) -> None:
        """Evict a pod that may be; its kubelet stops it a moment later."""
        self.evicted.append(pod["metadata"]["name"])
        self.stop(pod)

    def stop(self, pod: Object) -> None:
        """Have a pod terminate. Where the kubelet does not run, it stays so."""
        pod["metadata"].setdefault("deletionTimestamp", _now())
        self.touch(pod)
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        asyncio.get_running_loop().call_later(STOP_SECONDS, self._stopped, key)

    def _stopped(self, key: tuple[str, str]) -> None:
        if key in self.pods and (not node_of(self.pods[key]) or self.is_ready(node_of(self.pods[key]))):
            self._gone(key)

    def _gone(self, key: tuple[str, str]) -> None:
        """Take a pod away; who owns it replaces it."""
        pod = self.pods.pop(key)
        (owner,) = pod["metadata"].get("ownerReferences") or [{"kind": ""}]
        if owner["kind"] == "ReplicaSet":
            self.run(app_of(pod), namespace=key[0])
        elif owner["kind"] == "DaemonSet" and node_of(pod) in self.nodes:
            self.run(app_of(pod), node_of(pod), owner="DaemonSet", namespace=key[0])
        elif MIRROR in pod["metadata"].get("annotations", {}) and node_of(pod) in self.nodes:
            self.pods[key] = pod

    def _runs(self, pod: Object) -> bool:
        if "deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] != "Running":
            return False
        return self.is_ready(node_of(pod))

    def _free_node(self) -> str:
        free = (name for name, node in self.nodes.items() if not node["spec"].get("unschedulable"))
        return next((name for name in free if self.is_ready(name)), "")

    def _metadata(self, name: str, labels: dict[str, str]) -> Object:
        number = str(next(self._numbers))
        return {
            "name": name,
            "uid": f"{name}-{number}",
            "labels": labels,
            "resourceVersion": number,
            "creationTimestamp": _now(),
        }


def app_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get("app", ""))


def node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName", ""))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
