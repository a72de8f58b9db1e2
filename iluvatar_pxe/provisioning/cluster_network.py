"""Checks that a cluster can have what its fleet promises of this network, before any machine is told of it."""

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address

import structlog
from msgspec import Struct, field

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.dns.members import control_planes, members_of
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.host.arp import holder_of
from iluvatar_pxe.host.asking_dns import addresses_at
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.layers.arda.endpoint import api_name
from iluvatar_pxe.layers.arda.machine_facts import Surroundings, check_vip
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.applied import Applied

FREE_SECONDS, TAKEN_SECONDS = 60.0, 10.0
"""For how long it counts that nobody has answered for an address, and that somebody has."""
MOST_PROBED = 64
AGAIN_SECONDS = 2.0
"""Until a name that is wrong is asked for again: what was learnt of a machine just now is published a moment later."""
DNS_PORT = 53
"""Talos asks at no other."""

_log = structlog.get_logger()


class _Probed(Struct, frozen=True):
    holder: str | None
    until: float


def _tell(why: str) -> None:
    _log.warning("cluster.not-probed", why=why)


class ClusterNetwork(Struct, frozen=True, kw_only=True):
    """Asks this network; belongs to one event loop."""

    applied: Applied
    snapshot: Callable[[], Snapshot]
    interfaces: Callable[[], Sequence[Interface]]
    """Returns those that are served."""
    around: Callable[[IPv4Address], Awaitable[Surroundings]]
    """Returns what there is on the network of an address; raises ConfigurationError."""
    _probed: Recent[tuple[IPv4Address, str], _Probed] = field(default_factory=lambda: Recent(MOST_PROBED))
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _not_probed: Problem = field(default_factory=lambda: Problem(_tell, once=True))

    async def check(self, layer: str) -> None:
        """Raise ConfigurationError where the layer's VIP is not to be had here, or its name leads elsewhere."""
        talos = self.applied.fleet.talos(layer)
        if talos and talos.vip:
            check_vip(layer, talos, await self.around(talos.vip))
            await self._check_free(layer, talos.vip)
        elif talos:
            await self._check_name(layer)

    async def _check_free(self, layer: str, vip: IPv4Address) -> None:
        holder = await self.holder(vip)
        if holder and holder not in macs_of(layer, self.snapshot(), self.applied.fleet):
            raise ConfigurationError(
                f"{layer_file(layer)}: vip {vip} is in use: {holder}, which is no machine of {layer}, answers for it; "
                "choose an address that nothing has"
            )

    async def holder(self, address: IPv4Address) -> str | None:
        """Return the MAC of who has an address on a served network, None where nobody answers or can be asked."""
        interface = next((one for one in self.interfaces() if address in one.network), None)
        return await self._holder(address, interface) if interface else None

    async def _check_name(self, layer: str) -> None:
        """The name counts as soon as it has an address; it gets a new one a moment after that is known."""
        for last in (False, True):
            fleet = self.applied.fleet
            members = control_planes(members_of(self.snapshot(), fleet), layer)
            own = frozenset(one.address for one in members if one.address)
            name, resolvers = api_name(layer, fleet), await self._resolvers(own)
            if not resolvers or not (why := await _misled(name, own, resolvers)):
                return
            if last:
                raise ConfigurationError(
                    f"{layer_file(layer)}: machines find the cluster by {name}, and {why}; "
                    "have this daemon answer DNS at port 53 ([dns] enabled, port), or give the layer a vip"
                )
            await asyncio.sleep(AGAIN_SECONDS)

    async def _resolvers(self, machines: frozenset[IPv4Address]) -> tuple[IPv4Address, ...]:
        """Return those that machines are told, in their order; none where no machine can reach a daemon."""
        around = [await self.around(one) for one in sorted(machines)[:1]]
        return tuple(one for near in around if near.serving for one in near.resolvers)

    async def _holder(self, address: IPv4Address, interface: Interface) -> str | None:
        """Return the MAC of who has an address, None where nobody answers or nobody can be asked."""
        async with self._turn:
            known = self._probed.get((address, interface.name))
            if known and time.monotonic() < known.until:
                return known.holder
            holder = await self._ask(address, interface)
            until = time.monotonic() + (TAKEN_SECONDS if holder else FREE_SECONDS)
            self._probed.put((address, interface.name), _Probed(holder, until))
            return holder

    async def _ask(self, address: IPv4Address, interface: Interface) -> str | None:
        try:
            holder = await holder_of(address, interface)
        except OSError as error:
            remedy = (
                "give it CAP_NET_RAW, as the systemd service has"
                if error.errno == errno.EPERM
                else "see the cause"
            )
            why = f"nobody can be asked by ARP whether {address} is free: {error.strerror or error}; {remedy}"
            self._not_probed.set(why)
            return None
        self._not_probed.clear()
        return holder


async def _misled(name: str, own: frozenset[IPv4Address], resolvers: Sequence[IPv4Address]) -> str:
    """Return in words what is wrong with what a machine is told of a name; empty where it is right.

    Like Talos, it asks one after the other until one tells what it knows.
    """
    for resolver in resolvers:
        found = await addresses_at((str(resolver), DNS_PORT), name)
        if found is not None:
            told = ", ".join(map(str, sorted(found))) or "no address"
            return (
                ""
                if found & own
                else f"{resolver} says that it has {told}, which is none of its control planes"
            )
    return f"none of their resolvers answers: {', '.join(map(str, resolvers))}"


async def no_network(_layer: str) -> None:
    """Check nothing: for what is only shown, and where nobody can be asked."""


def macs_of(layer: str, snapshot: Snapshot, fleet: Fleet) -> frozenset[str]:
    """Return the MACs of all machines of a layer, as far as packets, files and the machines themselves tell them."""
    seen = (one for one in snapshot.by_id.values() if _layer_of(one, fleet) == layer)
    told = {mac for one in seen for mac in (*nics_of(one, fleet), *_inspected(one))}
    return frozenset(told.union(*(one.file.match.macs for one in fleet.listed if one.layer == layer)))


def _layer_of(machine: Machine, fleet: Fleet) -> str | None:
    place = listed_as(machine, fleet) or machine.assignment
    return place.layer if place else None


def _inspected(machine: Machine) -> list[str]:
    return [nic.mac for nic in machine.inspection.nics] if machine.inspection else []
