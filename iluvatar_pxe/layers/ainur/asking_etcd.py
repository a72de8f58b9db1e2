"""Asks a server of a k3s cluster for the members of its etcd."""

import aiohttp

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.etcd_members import EtcdMember, parse_members
from iluvatar_pxe.layers.kubernetes.api_server import PORT
from iluvatar_pxe.layers.trusting import trusting

_SECONDS = aiohttp.ClientTimeout(total=20, connect=5)
_PATH = "/db/info"
"""k3s' own path, by which joining servers learn the members: for whoever has the servers' token."""


async def etcd_members(address: str, bundle: K3sBundle, *, port: int = PORT) -> tuple[EtcdMember, ...]:
    """Return the members as the server at an address knows them; raises KubernetesError."""
    context = trusting(bundle.server.crt)
    login = {"Authorization": aiohttp.encode_basic_auth("server", bundle.server_token)}
    url = f"https://{address}:{port}{_PATH}"
    try:
        async with (
            aiohttp.ClientSession(timeout=_SECONDS) as session,
            session.get(url, ssl=context, headers=login) as answer,
        ):
            if answer.status != 200:
                raise KubernetesError(
                    f"{url}: status {answer.status}, so etcd's members are not known; it is tried again"
                )
            return parse_members(await answer.text())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise KubernetesError(f"{url}: {str(error) or 'no answer in time'}; it is tried again") from error
