"""Asks a server of a k3s cluster how far it is, and whether it is of this cluster at all.

Three things show it: its certificate is signed by the cluster's CA, k3s says that its core runs, and Kubernetes has a
Node of its name at its address.
"""

import ssl
from collections.abc import Iterable
from ipaddress import IPv4Address

import aiohttp
from msgspec import Struct

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.founding import Found, Serves, Starts
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.founding import Foreign, Unproved
from iluvatar_pxe.layers.kubernetes.api_server import PORT
from iluvatar_pxe.layers.kubernetes.client import cluster_id, nodes
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.layers.trusting import trusting

ASK_SECONDS = aiohttp.ClientTimeout(total=8, connect=3)
_READY = "/v1-k3s/readyz"
"""k3s' own path: 503 until its controllers run; for whoever has the agents' token."""
_AHEAD, _ENDED = 9, 10
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_REINSTALL = "if it is to join this one, run: iluvatar-pxe machines reinstall {} --wipe"


class Said(Struct, frozen=True):
    """What a server says, and all Nodes where it tells them."""

    found: Found
    nodes: tuple[Node, ...] = ()


async def ask(
    name: str, address: IPv4Address | None, bundle: K3sBundle, credentials: Credentials, *, port: int = PORT
) -> Said:
    """Return what the server ``name`` says; ``credentials`` are an administrator's."""
    if address is None:
        return Said(Unproved("no address of it is known"))
    if trouble := await _trouble(name, address, bundle, port):
        return Said(trouble)
    try:
        found = await nodes(str(address), credentials, port=port)
        cluster = await cluster_id(str(address), credentials, port=port)
    except KubernetesError as error:
        return Said(Starts(str(error)))
    return Said(_found(name, address, cluster, found), found)


async def _trouble(name: str, address: IPv4Address, bundle: K3sBundle, port: int) -> Found | None:
    """Return what keeps a server from being asked further; None where k3s is ready."""
    context = trusting(bundle.server.crt)
    login = {"Authorization": aiohttp.encode_basic_auth("node", bundle.agent_token)}
    url = f"https://{address}:{port}{_READY}"
    try:
        async with (
            aiohttp.ClientSession(timeout=ASK_SECONDS) as session,
            session.get(url, ssl=context, headers=login) as answer,
        ):
            if answer.status == 200:
                return None
            if answer.status in {401, 403}:
                return Foreign(
                    f"{address}: refuses this cluster's token for agents; {_REINSTALL.format(name)}"
                )
            return Starts(f"{address}: k3s is not ready yet")
    except aiohttp.ClientConnectorCertificateError as error:
        return _distrusted(name, address, error.certificate_error)
    except (aiohttp.ClientError, TimeoutError):
        return Unproved(f"{address}: k3s does not answer")


def _distrusted(name: str, address: IPv4Address, error: Exception) -> Found:
    """Return what a certificate means that is not accepted."""
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if code in {_AHEAD, _ENDED}:
        valid = "is not valid yet" if code == _AHEAD else "has ended"
        return Unproved(
            f"{address}: its certificate {valid}, so its clock or this server's is wrong; set them"
        )
    if isinstance(error, ssl.SSLCertVerificationError) and "mismatch" in error.verify_message:
        return Unproved(
            f"{address}: its certificate is for other addresses; restart it, so that it gets another"
        )
    return Foreign(f"{address}: its certificate is not of this cluster's CA; {_REINSTALL.format(name)}")


def _found(name: str, address: IPv4Address, cluster: str, known: Iterable[Node]) -> Found:
    """Return the server that is proved by Nodes: its own, at its address."""
    by_name = {node.name: node for node in known}
    other = next((node for node in by_name.values() if str(address) in node.addresses), None)
    if other and other.name != name:
        return Unproved(
            f"{other.name} answers at {address}, which was {name}'s address; restart {name}, or correct its address in "
            f"machines/{name}.yaml"
        )
    if name not in by_name or not cluster:
        return Starts(f"{address}: Kubernetes has no Node of it yet")
    servers = frozenset(node.name for node in by_name.values() if node.leads)
    return Serves(cluster, servers, frozenset(node.name for node in by_name.values() if node.is_ready))
