"""Registers the clusters of Talos layers with Argo CD of a k3s layer, and those that are gone no more."""

import structlog

from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.arda.endpoint import endpoint_of
from iluvatar_pxe.layers.argocd.clusters import (
    LIFETIME,
    argo_cd_of,
    binding,
    cluster_secret,
    is_good,
    name_of,
)
from iluvatar_pxe.layers.argocd.objects import NAMESPACE
from iluvatar_pxe.layers.kubernetes import objects
from iluvatar_pxe.layers.kubernetes.ours import Object
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.plane import Plane, plane_of

_log = structlog.get_logger()


async def register_clusters(plane: Plane, context: ClusterContext) -> None:
    """Have Argo CD know the founded Talos clusters, and no others of ours; raises IluvatarError.

    Nothing is done for a Talos cluster's own Argo CD, nor while there is none.
    """
    if context.fleet().k3s(plane.layer) is None:
        return
    found = await objects.ours(plane.address, plane.credentials, "Secret", NAMESPACE)
    known = {str(one["metadata"].get("name")): one for one in found}
    layers = {name_of(layer): layer for layer in _founded(context)}
    for name, secret in known.items():
        if name not in layers:
            await objects.delete(plane.address, plane.credentials, secret)
            _log.info("argocd.cluster_removed", layer=plane.layer, secret=name)
    failed: list[IluvatarError] = []
    for name, layer in layers.items():
        try:
            await _register(layer, known.get(name), plane, context)
        except IluvatarError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _founded(context: ClusterContext) -> list[str]:
    fleet = context.fleet()
    records = (fleet.clusters.get(layer) for layer in context.layers())
    return [one.layer for one in records if one and one.founded]


async def _register(layer: str, known: Object | None, plane: Plane, context: ClusterContext) -> None:
    """Give Argo CD a certificate for a cluster, unless it has a good one."""
    url = endpoint_of(layer, context.fleet())
    authority = (await context.secrets.known(layer)).kubernetes.crt
    if known and is_good(known, url, authority, wall_clock()):
        return
    other = await plane_of(layer, context)
    await objects.create(other.address, other.credentials, binding(plane.layer))
    credentials = await context.secrets.talos_kubernetes(layer, argo_cd_of(plane.layer), LIFETIME)
    if await objects.apply(plane.address, plane.credentials, cluster_secret(layer, url, credentials)):
        _log.info("argocd.cluster", layer=plane.layer, cluster=layer)
