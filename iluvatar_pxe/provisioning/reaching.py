"""Opens the API of a cluster's machine, wherever it is by now, and only once it is proved that it is this machine."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from iluvatar_pxe.dns.members import Member, control_planes, members_of
from iluvatar_pxe.errors import IluvatarError, KubernetesError, TalosError, TalosUnreachableError
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.expected import Expected, Who, expected_machines
from iluvatar_pxe.layers.arda.proving import prove
from iluvatar_pxe.layers.kubernetes.client import nodes
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.provisioning.cluster_context import ClusterContext

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi


@asynccontextmanager
async def opened(layer: str, name: str, role: ApiRole, context: ClusterContext) -> "AsyncIterator[TalosApi]":
    """Give the API of the machine of this name; raises IluvatarError, TalosAnotherError where another one answers."""
    credentials = await context.credentials(layer, role)
    expected = expected_of(name, context)
    why: TalosError | None = None
    tried: IPv4Address | None = None
    for find in (_recorded, _in_kubernetes):
        address = await find(layer, name, context)
        if address is None or address == tried:
            continue
        tried = address
        async with talos_api(str(address), credentials, name=name) as api:
            try:
                await prove(api, expected, address)
            except TalosError as error:
                why = why or error
            else:
                yield api
                return
    raise why or TalosUnreachableError(f"{name}: no address of it is known; switch it on")


def expected_of(name: str, context: ClusterContext) -> Expected:
    """Return which machine a name is."""
    known = expected_machines(context.snapshot(), context.fleet())
    return known.get(name) or Expected(Who(name=name), frozenset(known))


async def node_addresses(
    layer: str, planes: Iterable[Member], context: ClusterContext
) -> Mapping[str, IPv4Address]:
    """Return where machines are as Kubernetes has them, by name; none where none of these control planes tells."""
    try:
        credentials = await context.kubernetes(layer)
    except IluvatarError:
        return {}
    for one in planes:
        try:
            found = await nodes(str(one.address), credentials) if one.address else ()
        except KubernetesError:
            continue
        if found:
            return {node.name: address for node in found if (address := _address(node))}
    return {}


async def _recorded(layer: str, name: str, context: ClusterContext) -> IPv4Address | None:
    return next((one.address for one in _members(layer, context) if one.name == name), None)


async def _in_kubernetes(layer: str, name: str, context: ClusterContext) -> IPv4Address | None:
    planes = control_planes(_members(layer, context), layer)
    return (await node_addresses(layer, planes, context)).get(name)


def _members(layer: str, context: ClusterContext) -> Iterable[Member]:
    return [one for one in members_of(context.snapshot(), context.fleet()) if one.layer == layer]


def _address(node: Node) -> IPv4Address | None:
    for text in sorted(node.addresses):
        try:
            return IPv4Address(text)
        except AddressValueError:
            continue
    return None
