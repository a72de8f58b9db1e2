"""What a cluster loses while one of its machines has no power."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct, field

from iluvatar_pxe.fleet.lookup import listed_as, role_of
from iluvatar_pxe.fleet.models import ListedMachine
from iluvatar_pxe.layers.ainur.removal import Servers
from iluvatar_pxe.layers.arda.health import healthy_members
from iluvatar_pxe.layers.founding import Wait
from iluvatar_pxe.layers.quorum import lost_without
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_reports import report_of
from iluvatar_pxe.provisioning.k3s_clusters import place_in_k3s
from iluvatar_pxe.provisioning.reinstalling import place_in_cluster

_NOBODY: frozenset[str] = frozenset()


class Outage(Struct, frozen=True):
    """Asks clusters."""

    context: ClusterContext
    k3s_servers: Callable[[str], Awaitable[Servers | None]]
    """Returns the servers of a layer of kind k3s, None where none serves."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from asking about a machine until its power is cut: two at once would both be told that the other one stays."""

    async def harm(self, machine: Machine) -> str:
        """Say what is lost, in one line; empty where that is nothing. Raises IluvatarError."""
        fleet = self.context.fleet()
        if place := place_in_cluster(machine, fleet):
            return await self._of_talos(*place)
        place = place_in_k3s(machine, fleet)
        if place and role_of(machine, listed_as(machine, fleet)) is not Role.AGENT:
            return await self._of_k3s(*place)
        return ""

    async def harm_unseen(self, listed: ListedMachine) -> str:
        """Say the same of a machine that only its file tells of: its cluster may know it."""
        fleet, layer = self.context.fleet(), listed.layer
        if layer is None or (listed.file.role and not listed.file.role.leads):
            return ""
        if fleet.has_k3s_cluster(layer):
            return await self._of_k3s(layer, listed.name)
        if not fleet.has_cluster(layer):
            return ""
        report = await report_of(layer, Wait(""), self.context)
        members, healthy = report.etcd_names, healthy_members(report.planes).keys()
        silent = set() if listed.name in report.leading else {listed.name}
        return lost_without(listed.name, members, healthy | silent)

    async def _of_k3s(self, layer: str, name: str) -> str:
        servers = await self.k3s_servers(layer)
        if servers is None:
            return lost_without(name, _NOBODY, _NOBODY)
        return lost_without(name, servers.members, servers.healthy)

    async def _of_talos(self, layer: str, name: str) -> str:
        report = await report_of(layer, Wait(""), self.context)
        if name not in report.leading or report.record is None or not report.record.founded:
            return ""
        return lost_without(name, report.etcd_names, healthy_members(report.planes).keys())
