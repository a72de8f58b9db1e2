"""Finds a server of a cluster whose Kubernetes answers."""

from msgspec import Struct

from iluvatar_pxe.dns.members import control_planes, members_of
from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.client import cluster_id
from iluvatar_pxe.provisioning.cluster_context import ClusterContext


class Plane(Struct, frozen=True):
    """One that has answered, and an administrator's credentials for it."""

    layer: str
    address: str
    credentials: Credentials


async def plane_of(layer: str, context: ClusterContext) -> Plane:
    """Return the first that answers of a layer's; raises KubernetesError, and as ``ClusterSecrets.kubernetes``."""
    credentials = await context.kubernetes(layer)
    members = control_planes(members_of(context.snapshot(), context.fleet()), layer)
    last = KubernetesError(f"{layer}: no address of one that runs Kubernetes is known; switch one on")
    for address in (str(one.address) for one in members if one.address):
        try:
            await cluster_id(address, credentials)
        except KubernetesError as error:
            last = error
        else:
            return Plane(layer, address, credentials)
    raise last
