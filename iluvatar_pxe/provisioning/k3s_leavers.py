"""Finds out which nodes are to leave a k3s cluster, and what is left of them there."""

from collections.abc import Collection, Mapping

from msgspec import Struct

from iluvatar_pxe.dns.members import Member, members_of
from iluvatar_pxe.layers.ainur.asking_etcd import etcd_members
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.etcd_members import EtcdMember
from iluvatar_pxe.layers.ainur.founding import Serves
from iluvatar_pxe.layers.ainur.proving import Said
from iluvatar_pxe.layers.ainur.removal import Servers, Why, doubts, gone_nodes, strays
from iluvatar_pxe.layers.arda.absence import to_be_installed
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.layers.kubernetes.longhorn import Replica
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.layers.leaving import unlisted
from iluvatar_pxe.provisioning.cluster_context import ClusterContext


class K3sView(Struct, frozen=True, kw_only=True):
    """A cluster as its servers have it."""

    plane: str
    """The address of a server that serves Kubernetes, and stays."""
    credentials: Credentials
    bundle: K3sBundle
    listed: Mapping[str, Member]
    """By name, the machines that the fleet has in the layer."""
    nodes: Mapping[str, Node]
    members: tuple[EtcdMember, ...]
    servers: Servers
    leaving: Mapping[str, Why]
    """By name, what leaves."""
    doubts: tuple[str, ...]
    """Of which nodes it is not known whether they are to leave, one line each."""
    claimant: str = ""
    """The machine whose turn it is to be changed."""
    replicas: tuple[Replica, ...] = ()

    def members_of(self, name: str) -> tuple[EtcdMember, ...]:
        """Return a node's members of etcd."""
        return tuple(one for one in self.members if one.node == name)

    def is_server(self, name: str) -> bool:
        """Say whether a node holds the cluster's state."""
        node = self.nodes.get(name)
        return bool(self.members_of(name)) or bool(node and node.leads)

    @property
    def order(self) -> list[str]:
        """The names of what leaves: agents first, and of servers those first whose data is lost."""

        def turn(name: str) -> tuple[bool, bool, str]:
            return self.is_server(name), self.leaving[name] is not Why.LOST, name

        return sorted(self.leaving, key=turn)

    @property
    def staying(self) -> frozenset[str]:
        """Names of nodes that are ready, and do not leave."""
        return frozenset(name for name, node in self.nodes.items() if node.is_ready) - self.leaving.keys()


async def k3s_view(
    layer: str, said: Mapping[str, Said], without_data: Collection[str], context: ClusterContext
) -> K3sView | None:
    """Ask a cluster; None where no server serves Kubernetes. Raises IluvatarError.

    ``said`` is what its servers said just now; those ``without_data`` ask for their secrets, and have none of etcd.
    """
    fleet, snapshot = context.fleet(), context.snapshot()
    everywhere = members_of(snapshot, fleet)
    listed = {one.name: one for one in everywhere if one.layer == layer}
    nodes = {node.name: node for one in said.values() for node in one.nodes}
    healthy = {
        name for name, one in said.items() if isinstance(one.found, Serves) and name in one.found.ready
    }
    again = to_be_installed(snapshot, fleet) & listed.keys()
    gone = unlisted(snapshot, fleet, everywhere)
    others = [node for name, node in nodes.items() if name not in listed]
    leaving = dict.fromkeys(gone_nodes(layer, others, gone), Why.GONE)
    leaving |= dict.fromkeys(again & nodes.keys() | again & said.keys(), Why.REINSTALL)
    leaving |= dict.fromkeys(without_data, Why.LOST)
    staying = sorted(healthy - leaving.keys()) or sorted(healthy)
    if not staying:
        return None
    plane = str(listed[staying[0]].address)
    bundle, credentials = await context.secrets.known_k3s(layer), await context.kubernetes(layer)
    members = await etcd_members(plane, bundle)
    leaving |= dict.fromkeys(strays(members, nodes.keys(), listed.keys()), Why.GONE)
    return K3sView(
        plane=plane,
        credentials=credentials,
        bundle=bundle,
        listed=listed,
        nodes=nodes,
        members=members,
        servers=Servers(
            members=frozenset(one.node for one in members),
            healthy=frozenset(healthy),
            staying=frozenset(healthy) - leaving.keys(),
            away=frozenset(said.keys() - healthy),
        ),
        leaving=leaving,
        doubts=doubts((one for one in others if one.name not in leaving), gone),
        claimant=await kubernetes.claimant(plane, credentials),
        replicas=await kubernetes.replicas(plane, credentials),
    )
