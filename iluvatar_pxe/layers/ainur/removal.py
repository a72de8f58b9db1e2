"""How a node leaves its k3s cluster, so that it is gone, or joins again under the same name. Pure: what is known is given.

A server leaves etcd by its Node: k3s removes the member, then the Node, and with that the secret of the node's password.
What is next is read from the cluster each time, so any daemon goes on where another stopped. No disk is touched.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.layers.ainur.etcd_members import EtcdMember
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.layers.leaving import FILE_GONE, NOT_DUE, Hold, last_copies
from iluvatar_pxe.layers.quorum import too_few
from iluvatar_pxe.machines.model import Machine


class Why(StrEnum):
    """Why a node leaves; also what its Node is cordoned for."""

    GONE = FILE_GONE
    REINSTALL = "it is to be installed again"
    LOST = "it asks for its secrets, and has no data"


class Act(StrEnum):
    """What is done with it."""

    DRAIN = "its pods are moved to other nodes"
    DELETE_NODE = "its Node is deleted"


class Leaver(Struct, frozen=True, kw_only=True):
    """One node, by what is left of it in the cluster."""

    name: str
    why: Why
    is_server: bool = False
    is_node: bool = True
    is_ready: bool = True
    is_drained: bool = False
    is_due: bool = True
    """Its file has been gone for so long that nobody takes it back at once."""
    is_lost: bool = False
    """It has not been ready for so long that nobody waits for it."""
    is_answering: bool = False
    """k3s runs there."""
    waits_for: str = ""
    """Another machine that is changed, joins or leaves first."""
    members: tuple[EtcdMember, ...] = ()
    """Of etcd, by its name."""
    has_password: bool = False
    """Kubernetes has the secret by which its password is known."""
    last_replicas: tuple[str, ...] = ()
    """Volumes of Longhorn with no healthy replica elsewhere."""


class Servers(Struct, frozen=True):
    """Servers by their names."""

    members: frozenset[str]
    """Those that are members of etcd."""
    healthy: frozenset[str]
    """Those that serve Kubernetes."""
    staying: frozenset[str]
    """Healthy ones that the fleet lists, and that do not leave."""
    away: frozenset[str] = frozenset()
    """Ones that the fleet lists, and that are not healthy."""


def next_act(one: Leaver, servers: Servers) -> Act | Hold | None:
    """Return what is next; None where nothing of it is left in the cluster."""
    if not one.is_node:
        return _left_over(one)
    if why := _not_yet(one) or harm(one.name, one.why, servers, is_server=one.is_server):
        return Hold(why)
    if one.why is Why.LOST or one.is_drained or not one.is_ready:
        return Act.DELETE_NODE
    why = last_copies(one.last_replicas)
    return Hold(why) if why else Act.DRAIN


def harm(name: str, why: Why, servers: Servers, *, is_server: bool) -> str:
    """Say what the cluster would lose without a node, and what to do instead; nothing where that is nothing."""
    if not servers.staying - {name}:
        return "no other server that the fleet lists is ready; mend one, or list one"
    if not is_server:
        return ""
    away = sorted(servers.away - {name})
    if why is Why.REINSTALL and away:
        return f"{', '.join(away)} is not ready, and servers leave one at a time; mend that first"
    return too_few(name, servers.members, servers.healthy)


def strays(
    members: Iterable[EtcdMember], nodes: AbstractSet[str], listed: AbstractSet[str]
) -> frozenset[str]:
    """Return the names of nodes that the fleet does not list, and that are gone but for their members of etcd."""
    return frozenset(one.node for one in members) - nodes - listed


def gone_nodes(layer: str, unlisted: Iterable[Node], machines: Iterable[Machine]) -> frozenset[str]:
    """Return which of a layer's Nodes without a file are those of machines that have left the fleet: the names fit."""
    known = {one.report.node for one in machines}
    return frozenset(node.name for node in unlisted if f"{layer}/{node.name}" in known)


def doubts(unlisted: Iterable[Node], machines: Iterable[Machine]) -> tuple[str, ...]:
    """Return a line for each Node that only has the address of a machine which has left the fleet: it may be another."""
    places = {str(one.address): one.title for one in machines if not one.report.node}
    return tuple(
        f"{node.name}: has the address of {places[at]}, whose file has left the fleet, but was not seen here as its node, and "
        f"is left alone; if it is to leave: kubectl drain {node.name} and kubectl delete node {node.name}"
        for node in sorted(unlisted, key=lambda one: one.name)
        for at in sorted(node.addresses & places.keys())
    )


def _not_yet(one: Leaver) -> str:
    if one.why is Why.GONE and not one.is_due:
        return NOT_DUE
    if one.why is Why.LOST and one.is_answering:
        return "k3s runs there"
    if one.waits_for:
        return f"{one.waits_for} comes first"
    is_sure = one.is_ready or one.is_lost or one.why is Why.LOST
    return "" if is_sure else "its Node is not ready; it may be restarting"


def _left_over(one: Leaver) -> Hold | None:
    """Say what is left besides the Node; k3s may leave a broken server's member of etcd (k3s#10408)."""
    if one.members:
        named = ", ".join(f"{member.name} ({member.id:x})" for member in one.members)
        return Hold(
            f"its Node is deleted, and etcd still has its member {named}; if that stays, remove it as docs/k3s.md says"
        )
    if one.has_password and one.why is not Why.GONE:
        return Hold(
            "its Node is deleted, and Kubernetes still has its password; if that stays: "
            f"kubectl -n kube-system delete secret {one.name}.node-password.k3s"
        )
    return None
