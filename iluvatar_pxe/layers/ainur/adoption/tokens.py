"""Asks a server whether the tokens that somebody gave are those of its cluster; nothing is changed by that."""

import aiohttp

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.kubernetes.api_server import PORT
from iluvatar_pxe.layers.trusting import trusting

_SECONDS = aiohttp.ClientTimeout(total=20)
_CHECKS = (
    ("agent-token", "node", "/v1-k3s/readyz"),
    ("token", "server", "/v1-k3s/server-bootstrap"),
)
"""By the token, its user, and a path of k3s that only this user may read (k3s, ``pkg/server/handlers/router.go``)."""
_REFUSED = frozenset([401, 403])


async def refused_tokens(address: str, bundle: K3sBundle, *, port: int = PORT) -> tuple[str, ...]:
    """Return which tokens a server refuses, as their files are named; raises KubernetesError where it does not answer."""
    context = trusting(bundle.server.crt)
    passwords = {"node": bundle.agent_token, "server": bundle.server_token}
    refused = []
    try:
        async with aiohttp.ClientSession(timeout=_SECONDS) as session:
            for name, user, path in _CHECKS:
                login = {"Authorization": aiohttp.encode_basic_auth(user, passwords[user])}
                url = f"https://{address}:{port}{path}"
                async with session.get(url, ssl=context, headers=login) as answer:
                    refused += [name] if answer.status in _REFUSED else []
    except (aiohttp.ClientError, TimeoutError) as error:
        raise KubernetesError(
            f"https://{address}:{port}: k3s does not answer; try again once it does"
        ) from error
    return tuple(refused)
