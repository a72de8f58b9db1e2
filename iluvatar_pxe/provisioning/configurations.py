"""Machine configurations that the daemon makes when a machine asks for its own. Nothing of them is kept."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from typing import Self

from msgspec import Struct, field

from iluvatar_pxe.boot.plan import ToBeMade
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import ConfigurationError, IluvatarError
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.change_tables import DAEMONS, DISK, MANIFESTS
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts, Manifest
from iluvatar_pxe.layers.arda.configuration.make import documents_of, partial_documents
from iluvatar_pxe.layers.arda.configuration.stand_in import STAND_IN
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import dump_documents
from iluvatar_pxe.layers.arda.machine_facts import (
    Node,
    Surroundings,
    cluster_facts,
    machine_facts,
    patches_for,
)
from iluvatar_pxe.layers.arda.patched import patched_text
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.cluster_network import no_network
from iluvatar_pxe.provisioning.held_requests import HeldRequests
from iluvatar_pxe.provisioning.refusals import Refusal, Refusals
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

WAIT_SECONDS = 150.0
"""Talos gives an attempt 3 minutes. After each that fails it waits longer, in the end for hours."""
_SOME_DISK = DiskChoice(serial="not known here", size=0, path="")


async def no_secrets(_: str) -> Bundle:
    """Return none of any cluster: for what is only shown."""
    return STAND_IN


async def no_manifests(_layer: str, _bundle: Bundle) -> tuple[Manifest, ...]:
    """Return none of any cluster."""
    return ()


def _not_read(_: Machine) -> DiskChoice | None:
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A configuration as text, which installs Talos on a disk.

    A ``partial`` one installs nothing: the machine waits in maintenance, for its disks to be read.
    """

    text: str = dataclasses.field(repr=False)
    partial: bool
    disk: DiskChoice | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """The configuration that a machine should run with, as text."""

    text: str = dataclasses.field(repr=False)
    keeps: tuple[str, ...]
    """Entries of fields (``change_tables``) that cannot be told now, so that the machine keeps them as they are."""


class Configurations(Struct, frozen=True, kw_only=True):
    """Makes them of the applied fleet, a cluster's secrets, and what is known of the network."""

    around: Callable[[IPv4Address], Awaitable[Surroundings]]
    """Returns what there is on the network of a client; raises ConfigurationError."""
    secrets: Callable[[str], Awaitable[Bundle]]
    """Returns the secrets of a layer's cluster; raises an IluvatarError that says why there are none."""
    disk_of: Callable[[Machine], DiskChoice | None] = _not_read
    """Returns where a machine is to be installed; None while its hardware was not read, or does not tell that."""
    manifests: Callable[[str, Bundle], Awaitable[tuple[Manifest, ...]]] = no_manifests
    """Returns what control planes bring into a layer's cluster, by its secrets."""
    check: Callable[[str], Awaitable[None]] = no_network
    """Raises ConfigurationError where this network keeps a layer's machines from being told of their cluster."""
    changes: tuple[Changed, ...] = ()
    """Told when something else may be made than before."""
    seconds: float = WAIT_SECONDS
    refusals: Refusals = field(default_factory=Refusals)
    """Machines that get none now."""
    _waiting: set[object] = field(default_factory=set)
    """One thing for each request that is held open."""

    def rehearsed(self) -> Self:
        """Return one for simulated machines: it knows no secrets, and lets nobody wait."""
        return replace(
            self,
            secrets=no_secrets,
            manifests=no_manifests,
            check=no_network,
            seconds=0.0,
            refusals=Refusals(),
        )

    async def make(self, machine: Machine, wanted: ToBeMade, fleet: Fleet, client: IPv4Address) -> Made:
        """Return a machine's configuration; raises ConfigurationError, which says what is missing."""
        name = title_of(machine, fleet)
        node = Node(
            name=name,
            layer=wanted.layer,
            role=wanted.role,
            macs=nics_of(machine, fleet),
            disk=self.disk_of(machine),
        )
        try:
            made = await self._made(node, fleet, client)
        except IluvatarError as error:
            complain("configuration.not-ready", machine=name, why=str(error))
            self.refusals.put(
                Refusal(machine_id=machine.id, client=client, layer=wanted.layer, name=name, why=str(error))
            )
            raise ConfigurationError(f"{name}: its configuration cannot be made: {error}") from error
        self.refusals.over(machine.id)
        return made

    async def _made(self, node: Node, fleet: Fleet, client: IPv4Address) -> Made:
        """Return it; raises IluvatarError."""
        facts = machine_facts(node, fleet, await self.around(client))
        if node.disk is None:
            return Made(dump_documents(partial_documents(facts)), partial=True)
        await self.check(node.layer)
        bundle = await self.secrets(node.layer)
        cluster = await self._cluster(node, fleet, bundle)
        text = await asyncio.to_thread(_whole, node, fleet, cluster, facts)
        return Made(text, partial=False, disk=node.disk)

    async def wanted(self, node: Node, fleet: Fleet, around: Surroundings) -> Wanted:
        """Return what a machine should run with that has joined; raises IluvatarError.

        Which disk it was installed on, perhaps only another daemon knows.
        """
        placed = replace(node, disk=node.disk or _SOME_DISK)
        facts = machine_facts(placed, fleet, around)
        await self.check(node.layer)
        cluster = await self._cluster(node, fleet, await self.secrets(node.layer))
        text = await asyncio.to_thread(_whole, placed, fleet, cluster, facts)
        lacks_manifests = node.role is Role.CONTROLPLANE and not cluster.manifests
        unknown = (
            (DISK, node.disk is None),
            (DAEMONS, around.lacks_daemons),
            (MANIFESTS, lacks_manifests),
        )
        return Wanted(text, tuple(entry for entries, is_it in unknown if is_it for entry in entries))

    async def _cluster(self, node: Node, fleet: Fleet, bundle: Bundle) -> ClusterFacts:
        cluster = cluster_facts(node.layer, fleet, bundle)
        if node.role is not Role.CONTROLPLANE:
            return cluster
        return replace(cluster, manifests=await self.manifests(node.layer, bundle))

    async def when_ready(self, attempt: Callable[[], Awaitable[str]]) -> str:
        """Return what an attempt returns, made again after each change; raises its ConfigurationError when the time is over."""
        return await HeldRequests(self.changes, self.seconds, self._waiting).when_ready(attempt)


def _whole(node: Node, fleet: Fleet, cluster: ClusterFacts, facts: MachineFacts) -> str:
    """Return a configuration with the fleet's patches; blocks, raises ConfigurationError."""
    documents = documents_of(cluster, facts)
    return patched_text(documents, patches_for(node, fleet), schema_of(cluster.contract), node.role)
