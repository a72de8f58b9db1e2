"""Reads what a k3s cluster tells of itself; nothing is changed by that."""

from iluvatar_pxe.layers.ainur.adoption.observed import PATHS, ObservedCluster, observed
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.api_server import PORT, ApiServer


async def read_cluster(address: str, credentials: Credentials, *, port: int = PORT) -> ObservedCluster:
    """Return what the API server at ``address`` tells; raises KubernetesError."""
    async with ApiServer.at(address, port, credentials, "see the cause, and try again") as server:
        return observed({path: await server.call("GET", path) for path in PATHS})
