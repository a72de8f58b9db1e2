"""How clusters are, as their machines say when somebody asks."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct, field

from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import ConfigurationError, IluvatarError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.fleet.source import longhorn_file
from iluvatar_pxe.layers.arda.bundle_check import ends_of
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.expected import expected_machines
from iluvatar_pxe.layers.arda.health import EtcdHealth, MachineReport, etcd_health
from iluvatar_pxe.layers.arda.machine_facts import declared_workers
from iluvatar_pxe.layers.arda.reporting import report
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.founding import Refuse, Step
from iluvatar_pxe.layers.kubernetes.longhorn import copies_warning
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.reaching import node_addresses
from iluvatar_pxe.values import replace

_AT_ONCE = 50
"""Machines that are asked at the same time."""


class ClusterReport(Struct, frozen=True):
    """How one layer's cluster is."""

    layer: str
    record: ClusterFile | None
    step: Step
    members: Mapping[str, Member]
    """The machines that have a name in the layer, by it."""
    machines: Mapping[str, MachineReport] = field(default_factory=dict)
    """What each of them says; empty while the cluster has no secrets to ask with."""
    leading: frozenset[str] = frozenset()
    """Names of the control planes."""
    leaving: Mapping[str, str] = field(default_factory=dict)
    """By the names of machines whose files are gone, what is done to take them out of it."""
    authorities: Mapping[str, datetime] = field(default_factory=dict)
    """When each of its CAs ends."""
    warnings: tuple[str, ...] = ()
    """What is not as it should be, although the cluster runs; one line each."""

    @property
    def planes(self) -> Mapping[str, MachineReport]:
        """What the control planes say."""
        return {name: one for name, one in self.machines.items() if name in self.leading}

    @property
    def etcd(self) -> EtcdHealth:
        """How its etcd is."""
        return etcd_health(self.planes)

    @property
    def etcd_names(self) -> frozenset[str]:
        """The names of etcd's members as the fleet has them: one keeps its former host name for a while."""
        names = {one.etcd.member_id: name for name, one in self.planes.items() if one.etcd}
        return frozenset(names.get(one.id) or one.hostname or f"{one.id:x}" for one in self.etcd.members)


async def report_of(layer: str, step: Step, context: ClusterContext) -> ClusterReport:
    """Ask all machines of a cluster how they are; ``step`` is what is next for it."""
    fleet = context.fleet()
    members = [one for one in members_of(context.snapshot(), fleet) if one.layer == layer]
    leading = frozenset(one.name for one in control_planes(members, layer))
    told = ClusterReport(
        layer, fleet.clusters.get(layer), step, {one.name: one for one in members}, leading=leading
    )
    if told.record is None:
        return told
    try:
        bundle = await context.secrets.known(layer)
        credentials = await context.credentials(layer, ApiRole.READER)
    except IluvatarError as error:
        return replace(told, step=Refuse(str(error)))
    told = await _found(await _asked(told, members, credentials, context), credentials, context)
    return replace(told, authorities=ends_of(bundle), warnings=await _warnings(layer, told, context))


async def _asked(
    told: ClusterReport, members: Iterable[Member], credentials: Credentials, context: ClusterContext
) -> ClusterReport:
    """Add what some of its machines say at their addresses."""
    turn, held = asyncio.Semaphore(_AT_ONCE), context.held_machines()
    expected = expected_machines(context.snapshot(), context.fleet())

    async def said(member: Member) -> tuple[Member, MachineReport]:
        async with turn:
            return member, await report(
                member.address,
                credentials,
                held.get(member.name),
                is_control_plane=member.name in told.leading,
                expected=expected.get(member.name),
            )

    reports = await asyncio.gather(*map(said, members))
    return replace(
        told,
        members={**told.members, **{one.name: one for one, _ in reports}},
        machines={**told.machines, **{one.name: each for one, each in reports}},
    )


async def _found(told: ClusterReport, credentials: Credentials, context: ClusterContext) -> ClusterReport:
    """Ask those that are not at their addresses where Kubernetes has them, too."""
    silent = {name for name, one in told.machines.items() if one.trouble}
    planes = [one for name, one in told.members.items() if name in told.leading - silent]
    if not silent or not planes:
        return told
    places = await node_addresses(told.layer, planes, context)
    moved = [
        replace(told.members[name], address=places[name])
        for name in silent & places.keys()
        if places[name] != told.members[name].address
    ]
    found = await _asked(told, moved, credentials, context)
    kept = {name for name in silent if found.machines[name].trouble}
    return replace(
        found,
        members={**found.members, **{name: told.members[name] for name in kept}},
        machines={**found.machines, **{name: told.machines[name] for name in kept}},
    )


async def _warnings(layer: str, told: ClusterReport, context: ClusterContext) -> tuple[str, ...]:
    path, nodes = longhorn_file(layer), len(told.members)
    if declared_workers(layer, context.fleet()):
        nodes -= len(told.leading)
    found = [copies_warning(path, await context.repository.text(path), nodes)]
    if told.record and told.record.founded:  # before that, nothing is done, and the step says why
        try:
            await context.check(layer)
        except ConfigurationError as error:
            found.append(str(error))
    return tuple(filter(None, found))
