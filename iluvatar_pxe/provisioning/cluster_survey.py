"""What the machines of a cluster run with, and what they should run with."""

import asyncio
import hashlib
from collections.abc import Mapping
from ipaddress import IPv4Address

from msgspec import Struct, field

from iluvatar_pxe.dns.members import Member, control_planes
from iluvatar_pxe.errors import ConfigurationError, IluvatarError, KubernetesError
from iluvatar_pxe.fleet.lookup import name_of, role_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.absence import absences, to_be_installed
from iluvatar_pxe.layers.arda.changes import Changes, changes, with_stored
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.documents import Document, load_documents
from iluvatar_pxe.layers.arda.health import MachineReport
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings
from iluvatar_pxe.layers.arda.restarts import Standing, Standings
from iluvatar_pxe.layers.arda.running import links, responsible, role_in
from iluvatar_pxe.layers.founding import Wait
from iluvatar_pxe.layers.kubernetes.client import claimant, nodes
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Intent
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_reports import ClusterReport, report_of
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.reaching import opened
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

_AT_ONCE = 4
"""Configurations that are made at the same time."""
_STAGES = frozenset({"booting", "running"})


class Surveyed(Struct, frozen=True):
    """A cluster, and what is to be changed of each machine."""

    cluster: Standings = field(default_factory=lambda: Standings(machines=()))
    members: Mapping[str, Member] = field(default_factory=dict)
    changes: Mapping[str, Changes] = field(default_factory=dict)
    """By the names of the machines that answer, and that this daemon changes."""

    @property
    def planes(self) -> tuple[Member, ...]:
        """The control planes that answer."""
        ready = [one.name for one in self.cluster.machines if one.is_control_plane and one.is_ready]
        return tuple(self.members[name] for name in ready)


class Surveyor(Struct, frozen=True):
    """Asks the machines of one layer's cluster."""

    layer: str
    context: ClusterContext
    configurations: Configurations

    async def survey(self) -> Surveyed:
        """Ask all machines; raises IluvatarError."""
        report = await report_of(self.layer, Wait(""), self.context)
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> tuple[Standing, Changes | None]:
            async with turn:
                return await self._standing(name, report)

        found = await asyncio.gather(*map(one, report.machines))
        surveyed = Surveyed(
            Standings(machines=[standing for standing, _ in found], troubles=report.etcd.ailing),
            report.members,
            {standing.name: each for standing, each in found if each},
        )
        return await self._with_kubernetes(surveyed, report)

    async def _standing(self, name: str, report: ClusterReport) -> tuple[Standing, Changes | None]:
        said, member = report.machines[name], report.members[name]
        standing = Standing(
            name=name,
            is_control_plane=name in report.leading,
            leads_etcd=name == report.etcd.leader,
            is_ready=said.stage == "running" and said.is_ready,
        )
        if said.is_another:
            complain("machine.unchanged", machine=name, why=said.trouble)
            return replace(standing, held=said.trouble), Changes()
        if said.trouble or said.stage not in _STAGES or member.address is None:
            return replace(standing, held=said.trouble or f"is {said.stage}"), None
        try:
            return await self._compared(standing, member.address, said)
        except IluvatarError as error:
            complain("machine.unchanged", machine=name, why=str(error))
            return replace(standing, held=str(error)), Changes()

    async def _compared(
        self, standing: Standing, address: IPv4Address, said: MachineReport
    ) -> tuple[Standing, Changes | None]:
        fleet = self.context.fleet()
        machine = _machines(self.context, fleet).get(standing.name)
        if machine and machine.directive.intent is Intent.REINSTALL:
            return replace(standing, held="is to be installed again"), Changes()
        live, stored = await self._live(standing.name)
        around = await self.configurations.around(address)
        daemon = responsible(live, {around.here, *around.daemons})
        if daemon != around.here:
            return replace(
                standing, is_ours=False, held=f"{daemon} changes it, which it reports to"
            ), Changes()
        found, mark = await self._found(standing.name, live, machine, around, said.version)
        if stored is not live:
            found = await asyncio.to_thread(with_stored, found, stored, said.version)
        return replace(standing, kind=found.kind, mark=mark), found

    async def _live(self, name: str) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
        """Return what a machine runs with, and what it starts with next."""
        async with opened(self.layer, name, ApiRole.ADMIN, self.context) as api:
            text = await api.state.configuration()
            stored = await api.state.stored_configuration()
        live = await asyncio.to_thread(_documents, name, text)
        if stored in {text, None}:
            return live, live
        return live, await asyncio.to_thread(_documents, name, stored or "")

    async def _found(
        self,
        name: str,
        live: tuple[Document, ...],
        machine: Machine | None,
        around: Surroundings,
        running: str,
    ) -> tuple[Changes, str]:
        """Return what differs, and a mark of what the machine should run with."""
        fleet = self.context.fleet()
        node = self._node(name, live, machine, fleet)
        wanted = await self.configurations.wanted(node, fleet, around)
        layer = fleet.talos(self.layer)
        version = layer.talos.version if layer else running

        def compare() -> Changes:
            return changes(live, load_documents(wanted.text), running, version, wanted.keeps)

        return await asyncio.to_thread(compare), hashlib.sha256(wanted.text.encode()).hexdigest()[:16]

    def _node(self, name: str, live: tuple[Document, ...], machine: Machine | None, fleet: Fleet) -> Node:
        listed = next((one for one in fleet.listed if one.name == name), None)
        known = nics_of(machine, fleet) if machine else listed.file.match.macs if listed else ()
        return Node(
            name=name,
            layer=self.layer,
            role=role_of(machine, listed) or role_in(live),
            macs=links(live, known),
            disk=self.configurations.disk_of(machine) if machine else None,
        )

    async def _with_kubernetes(self, surveyed: Surveyed, report: ClusterReport) -> Surveyed:
        """Add what Kubernetes says, as far as it can be asked."""
        cluster = surveyed.cluster
        try:
            credentials = await self.context.kubernetes(self.layer)
            address = _first_address(surveyed.planes or control_planes(report.members.values(), self.layer))
            known = {one.name: one for one in await nodes(address, credentials)}
            turn = await claimant(address, credentials)
        except IluvatarError as error:
            return replace(surveyed, cluster=replace(cluster, troubles=[*cluster.troubles, str(error)]))
        machines = [replace(one, node=known.get(one.name)) for one in cluster.machines]
        again = to_be_installed(self.context.snapshot(), self.context.fleet())
        away = absences(report.machines, known.values(), again & report.members.keys())
        return replace(
            surveyed, cluster=replace(cluster, machines=machines, nodes=known, claimant=turn, away=away)
        )


def _first_address(planes: tuple[Member, ...]) -> str:
    for one in planes:
        if one.address:
            return str(one.address)
    raise KubernetesError("no control plane has an address; switch one on")


def _documents(name: str, text: str) -> tuple[Document, ...]:
    try:
        return load_documents(text)
    except DocumentError as error:
        raise ConfigurationError(f"{name}: line {error.line} of its configuration cannot be read") from error


def _machines(context: ClusterContext, fleet: Fleet) -> dict[str, Machine]:
    """Return the machines that were seen by their names; of two with one name, the one that was seen last."""
    seen = sorted(context.snapshot().by_id.values(), key=lambda one: one.last_seen)
    return {name: one for one in seen if (name := name_of(one, fleet))}
