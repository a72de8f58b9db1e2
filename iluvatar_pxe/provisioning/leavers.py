"""Finds out what is left in a cluster of machines whose files have left the fleet."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.dns.members import Member, control_planes
from iluvatar_pxe.errors import KubernetesError, TalosError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.absence import absences, to_be_installed
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.api.model import EtcdMember
from iluvatar_pxe.layers.arda.api.resources import HOSTNAME
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.expected import Expected, expected_machines
from iluvatar_pxe.layers.arda.health import MachineReport, healthy_members
from iluvatar_pxe.layers.arda.proving import macs_of
from iluvatar_pxe.layers.arda.removal import Etcd
from iluvatar_pxe.layers.arda.reporting import report
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.values import replace

_GOING = "shutting down"
"""Talos' stage of a machine that is told to switch itself off."""


class Found(Struct, frozen=True):
    """A machine that has left the fleet, as the cluster has it."""

    mac: str
    address: str
    name: str
    """As its Talos says, else as Kubernetes or etcd have it at its address."""
    runs: bool
    is_going_down: bool
    node: Node | None
    member: int | None
    """The id of its member of etcd."""
    is_namesake: bool = False
    """The fleet has another machine by its name."""


class View(Struct, frozen=True):
    """What the control planes that the fleet lists say."""

    plane: str
    """The address of one whose Kubernetes API answers."""
    nodes: tuple[Node, ...]
    etcd: Etcd
    healthy: tuple[str, ...]
    """Addresses of control planes that the fleet lists, whose etcd is healthy."""
    found: tuple[Found, ...] = ()
    claimant: str = ""
    """The machine whose turn it is to be changed."""
    staying: frozenset[str] = frozenset()
    """Names of the Nodes that are not away, nor on their way out."""


async def view_of(
    layer: str, machines: Sequence[Machine], members: Sequence[Member], context: ClusterContext
) -> View:
    """Ask the cluster; ``machines`` have left the fleet, ``members`` have a place in it. Raises IluvatarError.

    A machine whose name the fleet has is among what is found only if its NICs show that it is none of the fleet's.
    """
    planes = {one.name: str(one.address) for one in control_planes(members, layer) if one.address}
    administrator = await context.kubernetes(layer)
    plane, nodes = await _nodes(layer, planes, administrator)
    if not machines:
        return View(plane, nodes, Etcd(frozenset(), frozenset(), frozenset()), ())
    credentials = await context.credentials(layer, ApiRole.READER)
    places = {one.macs[0]: str(one.address) for one in machines}
    expected = expected_machines(context.snapshot(), context.fleet())
    reports = await _reports({**planes, **places}, credentials, expected)
    names = {one.name for one in members}
    again = to_be_installed(context.snapshot(), context.fleet()) & names
    away = absences({name: reports[name] for name in planes}, nodes, again)
    healthy = {name: member for name, member in healthy_members(reports).items() if name not in away}
    listed = max((one.members for one in reports.values()), key=len, default=())
    found = [
        _found(mac, address, reports[mac], await _hostname(address, reports[mac], credentials), nodes, listed)
        for mac, address in places.items()
    ]
    return View(
        plane,
        nodes,
        Etcd(
            members=frozenset(one.id for one in listed),
            healthy=frozenset(healthy.values()),
            staying=frozenset(member for name, member in healthy.items() if name in planes),
        ),
        tuple(planes[name] for name in healthy if name in planes),
        tuple(sorted(await _apart(found, names, machines, context.fleet(), credentials), key=_turn)),
        await kubernetes.claimant(plane, administrator),
        frozenset(one.name for one in nodes if one.name not in away),
    )


async def _apart(
    found: Sequence[Found],
    names: Collection[str],
    machines: Sequence[Machine],
    fleet: Fleet,
    credentials: Credentials,
) -> list[Found]:
    """Return those that are none of the fleet's machines, as their names or their NICs show."""
    apart = [one for one in found if one.name and one.name not in names]
    known = {one.macs[0]: one.macs for one in machines}
    for one in found:
        if one.runs and one.name in names:
            macs = await _macs(one.address, credentials)
            if macs.intersection(known[one.mac]) and not fleet.machines(macs, "", None):
                apart.append(replace(one, is_namesake=True))
    return apart


async def _macs(address: str, credentials: Credentials) -> frozenset[str]:
    try:
        async with talos_api(address, credentials) as api:
            return await macs_of(api)
    except TalosError:
        return frozenset()


def _turn(found: Found) -> tuple[bool, str]:
    """Workers go first."""
    return found.member is not None, found.name


def _found(
    mac: str,
    address: str,
    said: MachineReport,
    hostname: str,
    nodes: Sequence[Node],
    members: Sequence[EtcdMember],
) -> Found:
    at = next((one.name for one in nodes if address in one.addresses), "")
    peer = next((one for one in members if any(f"//{address}:" in url for url in one.peer_urls)), None)
    name = hostname or at or (peer.hostname if peer else "")
    member = next((one for one in members if one.hostname == name), peer)
    return Found(
        mac=mac,
        address=address,
        name=name,
        runs=not said.trouble,
        is_going_down=said.stage == _GOING,
        node=next((one for one in nodes if one.name == name), None),
        member=member.id if member else None,
    )


async def _nodes(
    layer: str, planes: Mapping[str, str], credentials: Credentials
) -> tuple[str, tuple[Node, ...]]:
    """Return the first control plane whose Kubernetes API answers, and the Nodes that it has."""
    why = KubernetesError(f"{layer}: the fleet lists no control plane with an address; list one")
    for address in planes.values():
        try:
            return address, await kubernetes.nodes(address, credentials)
        except KubernetesError as error:
            why = error
    raise why


async def _reports(
    places: Mapping[str, str], credentials: Credentials, expected: Mapping[str, Expected]
) -> Mapping[str, MachineReport]:
    """Ask machines; of workers, etcd says nothing. Those that have left the fleet are expected by nobody."""
    said = await asyncio.gather(
        *(
            report(IPv4Address(at), credentials, is_control_plane=True, expected=expected.get(key))
            for key, at in places.items()
        )
    )
    return dict(zip(places, said, strict=True))


async def _hostname(address: str, said: MachineReport, credentials: Credentials) -> str:
    """Return what a machine calls itself; nothing where it does not answer."""
    if said.trouble:
        return ""
    try:
        async with talos_api(address, credentials) as api:
            return await api.state.get(HOSTNAME) or ""
    except TalosError:
        return ""
