"""How k3s clusters are, as their servers said when they were last looked at."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from iluvatar_pxe.dns.members import Member, members_of
from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.ainur.bundle_check import k3s_ends_of
from iluvatar_pxe.layers.ainur.founding import Serves
from iluvatar_pxe.layers.founding import Founded, NoteFounded, Refuse, Step
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.provisioning.k3s_watch import K3sWatch
from iluvatar_pxe.values import replace


class K3sReport(Struct, frozen=True, kw_only=True):
    """How one layer's cluster is."""

    layer: str
    record: ClusterFile | None
    step: Step
    members: tuple[Member, ...] = ()
    """The machines that have a name in the layer, by name."""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    """By name, what Kubernetes has of them."""
    awaited: Mapping[str, str] = field(default_factory=dict)
    """By the names of machines that the cluster waits for, or that are not well, why."""
    upkeep: str = ""
    """What is done with its nodes, in one line."""
    leaving: Mapping[str, str] = field(default_factory=dict)
    """By the names of nodes that leave, what is done with them."""
    authorities: Mapping[str, datetime] = field(default_factory=dict)
    """When each of its CAs ends."""
    ends: Mapping[str, datetime] = field(default_factory=dict)
    """By the names of nodes, when the first of their certificates ends, as far as they have told."""
    etcd: frozenset[str] = frozenset()
    """Names of the servers that are members of its etcd, as they say."""

    @property
    def state(self) -> str:
        """The cluster in one word."""
        if isinstance(self.step, Refuse):
            return "refused"
        if isinstance(self.step, Founded | NoteFounded):
            return "unhealthy" if self.awaited else "founded"
        return "waiting"


async def k3s_report(watch: K3sWatch) -> K3sReport:
    """Return how the cluster is that a watch looks after."""
    context, layer = watch.context, watch.layer
    fleet = context.fleet()
    told = K3sReport(
        layer=layer,
        record=fleet.clusters.get(layer),
        step=watch.step,
        members=tuple(one for one in members_of(context.snapshot(), fleet) if one.layer == layer),
        nodes={node.name: node for said in watch.said.values() for node in said.nodes},
        awaited=watch.awaited,
        upkeep=watch.upkeep.line or "",
        leaving=watch.removal.leaving,
        ends={name: one.ends for name, one in watch.tasks.facts.items() if one.ends},
        etcd=frozenset(
            name
            for said in watch.said.values()
            if isinstance(said.found, Serves)
            for name in said.found.servers
        ),
    )
    if told.record is None:
        return told
    try:
        return replace(told, authorities=k3s_ends_of(await context.secrets.known_k3s(layer)))
    except IluvatarError as error:
        return replace(told, step=Refuse(str(error)))
