"""What a cluster loses while one of its machines has no power."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from iluvatar_pxe.fleet.lookup import listed_as, role_of
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


@dataclass(frozen=True, slots=True)
class Outage:
    """Asks clusters."""

    context: ClusterContext
    k3s_servers: Callable[[str], Awaitable[Servers | None]]
    """Returns the servers of a layer of kind k3s, None where none serves."""

    async def harm(self, machine: Machine) -> str:
        """Say what is lost, in one line; empty where that is nothing. Raises IluvatarError."""
        fleet = self.context.fleet()
        if place := place_in_cluster(machine, fleet):
            return await self._of_talos(*place)
        place = place_in_k3s(machine, fleet)
        if place and role_of(machine, listed_as(machine, fleet)) is not Role.AGENT:
            layer, name = place
            servers = await self.k3s_servers(layer)
            return (
                lost_without(name, servers.members, servers.healthy)
                if servers
                else lost_without(name, _NOBODY, _NOBODY)
            )
        return ""

    async def _of_talos(self, layer: str, name: str) -> str:
        report = await report_of(layer, Wait(""), self.context)
        if name not in report.leading or report.record is None or not report.record.founded:
            return ""
        return lost_without(name, report.etcd_names, healthy_members(report.planes).keys())
