"""Makes what Raspberry Pis configure themselves with, of the fleet and of what is known here. Nothing of it is kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.documents import CloudInitDocuments, documents_of, secret_files_of
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.from_fleet import cluster_of, node_of
from iluvatar_pxe.layers.ainur.node import InstalledArgoCd, K3sCluster, K3sNode, Surroundings
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.arda.machine_facts import LAST_TIME_SERVER
from iluvatar_pxe.layers.arda.machine_facts import Surroundings as Networks
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.cloud_init import Asker, instance_id_of


class CloudConfigs(Struct, frozen=True, kw_only=True):
    """Makes them."""

    bundle: Callable[[str], Awaitable[K3sBundle]]
    """Returns the secrets of a layer's cluster; raises IluvatarError."""
    argo_cd: Callable[[str, K3sBundle], Awaitable[InstalledArgoCd | None]]
    """Returns what a layer's cluster installs of Argo CD, by its secrets; raises ConfigurationError."""
    part_of: Callable[[str, str, Role, Asks], Awaitable[K3sPart]]
    """Returns what a machine of a layer is told that asks, by its name and role; raises NotYetError where it is to wait."""
    around: Callable[[IPv4Address], Awaitable[Networks]]
    """Returns what there is on the network of an address; raises ConfigurationError."""
    sums: Callable[[], Mapping[str, str]]
    """Returns the SHA-256 of boot files that are here, by their names."""
    programs: Mapping[str, str]
    """Those that a machine runs for k3s, by their names."""

    async def documents(self, asker: Asker, fleet: Fleet) -> CloudInitDocuments:
        """Return a machine's documents; raises IluvatarError."""
        cluster, node = await self._found(asker, fleet)
        around = await self._surroundings(asker)
        return await asyncio.to_thread(documents_of, cluster, node, around, self.programs)

    async def secret_files(self, asker: Asker, fleet: Fleet, asks: Asks) -> Mapping[str, NodeFile]:
        """Return what a machine swaps its ticket for, if its turn has come; raises IluvatarError."""
        cluster, node = await self._found(asker, fleet)
        part = await self.part_of(asker.place.layer, node.name, node.role, asks)
        return await asyncio.to_thread(secret_files_of, cluster, node, part)

    async def _found(self, asker: Asker, fleet: Fleet) -> tuple[K3sCluster, K3sNode]:
        machine, place = asker.machine, asker.place
        bundle = await self.bundle(place.layer)
        argo_cd = await self.argo_cd(place.layer, bundle)
        cluster = cluster_of(place.layer, fleet, bundle, argo_cd)
        node = node_of(
            asker.name(fleet),
            place.layer,
            place.role,
            nics_of(machine, fleet),
            fleet,
            instance_id=instance_id_of(machine),
        )
        return cluster, node

    async def _surroundings(self, asker: Asker) -> Surroundings:
        """Return what a machine is told of the daemons: the one that it asks comes first, by the address that it uses."""
        around = await self.around(asker.client)
        others = (address for address in around.daemons if address != asker.links.address)
        return Surroundings(
            daemons=(
                asker.links.base,
                *(f"http://{address}:{asker.links.http_port}" for address in others),
            ),
            ticket=asker.ticket,
            time_servers=(*map(str, around.resolvers), LAST_TIME_SERVER),
            sums=self.sums(),
            is_beside=asker.client == asker.links.address,
        )
