"""Who may read and who may push: tokens, which never go over the wire in clear."""

import asyncio
import logging
from collections.abc import Callable
from ipaddress import IPv4Address

from aiohttp import BasicAuth, hdrs, web

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.bare import SUFFIX
from iluvatar_pxe.gitops.secrets.tokens import OWN, Right, Token, Tokens
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import client_of
from iluvatar_pxe.servers.http.failure_limit import FailureLimit

FLEET = "fleet"
"""The only repository that the daemon's own tokens read."""
_CHALLENGE = 'Basic realm="iluvatar-pxe"'


class Access:
    """Knows by its token what a request may do."""

    def __init__(
        self, tokens: Tokens, clock: Callable[[], float], *, anonymous_read: bool, tls_port: int
    ) -> None:
        self._tokens = tokens
        self._failures = FailureLimit(clock)
        self._anonymous_read = anonymous_read
        self._tls_port = tls_port

    async def check(self, request: web.Request, repository: str, right: Right) -> str:
        """Return the name of a request's token, or an empty string where none is needed; raises HTTPException."""
        if right is Right.READ and self._anonymous_read:
            return ""
        if not is_private(request):
            complain("git.refused", client=request.remote, why="without TLS")
            url = f"https://{_own_address(request)}:{self._tls_port}/git/{repository}{SUFFIX}"
            raise web.HTTPForbidden(text=f"tokens are accepted over TLS only; use {url}")
        token = await self._token_of(request)
        if OWN in token.name and repository != FLEET:
            why = f"reads the fleet only, not {repository}"
            complain("git.refused", client=request.remote, token=token.name, why=why)
            raise web.HTTPForbidden(text=f"token {token.name} reads the fleet only; use a token of a person")
        if right is Right.WRITE and token.right is not Right.WRITE:
            complain("git.refused", client=request.remote, token=token.name, why="read-only token")
            raise web.HTTPForbidden(text=f"token {token.name} is read-only")
        return token.name

    async def _token_of(self, request: web.Request) -> Token:
        client = str(client_of(request))
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is None:
            raise _unauthorized("give a token as the password, with any user name")
        self._make_wait(client)
        token = await self._known(_secret(given))
        self._make_wait(client)  # others of this client's requests may have failed meanwhile
        if token is None:
            self._failures.fail(client)
            complain("git.refused", client=client, why="unknown token")
            raise _unauthorized("unknown token; create one with 'iluvatar-pxe fleet token add'")
        return token

    async def _known(self, secret: str) -> Token | None:
        try:
            return await asyncio.to_thread(self._tokens.holder, secret)
        except RepositoryError as error:
            complain("git.tokens", logging.ERROR, why=str(error))
            raise web.HTTPServiceUnavailable(
                text="this server cannot read its tokens; see its log"
            ) from error

    def _make_wait(self, client: str) -> None:
        if seconds := self._failures.wait(client):
            complain("git.refused", client=client, why="too many wrong tokens")
            wait = {hdrs.RETRY_AFTER: str(int(seconds) + 1)}
            raise web.HTTPTooManyRequests(text="too many wrong tokens; wait a minute", headers=wait)


def is_private(request: web.Request) -> bool:
    """Say whether nobody else can read the request: by TLS, or since it comes from this host.

    The kernel takes no packet from outside whose source is an address of its own, and of a host's connections to
    itself both ends have the address that was called (ip-route(8), table local).
    """
    client = client_of(request)
    return request.secure or client.is_loopback or client == _own_address(request)


def _own_address(request: web.Request) -> IPv4Address:
    if request.transport is None:
        raise web.HTTPServiceUnavailable(text="the connection was closed")
    return IPv4Address(request.transport.get_extra_info("sockname")[0])


def _secret(authorization: str) -> str:
    """Return what was given as a token; what is no header of either kind is no token either."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    try:
        return str(BasicAuth.decode(authorization).password)
    except ValueError:
        return ""


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: _CHALLENGE})
