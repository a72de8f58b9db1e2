"""The few calls of a cluster's Kubernetes API that the daemon makes."""

import ssl

import aiohttp

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.arda.api.tls import load_key
from iluvatar_pxe.layers.arda.credentials import Credentials

PORT = 6443
_SECONDS = aiohttp.ClientTimeout(total=20)


async def delete_node(address: str, credentials: Credentials, name: str, *, port: int = PORT) -> None:
    """Delete a Node by the API server at an address; one that is not there is fine. Raises KubernetesError."""
    label = f"https://{address}:{port}"
    try:
        async with (
            aiohttp.ClientSession(timeout=_SECONDS) as session,
            session.delete(f"{label}/api/v1/nodes/{name}", ssl=_context(credentials)) as answer,
        ):
            if answer.status not in {200, 202, 404}:
                raise KubernetesError(
                    f"{label}: does not delete node {name}: status {answer.status}; kubectl delete node {name}"
                )
    except (aiohttp.ClientError, TimeoutError, ssl.SSLError, ValueError) as error:
        why = str(error) or "no answer in time"
        raise KubernetesError(f"{label}: {why}; later: kubectl delete node {name}") from error


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=credentials.ca)
    load_key(context, credentials)
    return context
