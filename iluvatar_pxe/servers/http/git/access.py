"""Who may read and who may push: tokens, which never go over the wire in clear."""

from collections.abc import Callable

from aiohttp import BasicAuth, hdrs, web

from iluvatar_pxe.gitops.repository.bare import SUFFIX
from iluvatar_pxe.gitops.secrets.tokens import OWN, Right, Token, Tokens
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import is_private, own_address_of
from iluvatar_pxe.servers.http.token_check import TokenCheck

FLEET = "fleet"
"""The only repository that the daemon's own tokens read."""
_CHALLENGE = 'Basic realm="iluvatar-pxe"'


class Access:
    """Knows by its token what a request may do."""

    def __init__(
        self, tokens: Tokens, clock: Callable[[], float], *, anonymous_read: bool, tls_port: int
    ) -> None:
        self._tokens = TokenCheck(tokens, clock, "git")
        self._anonymous_read = anonymous_read
        self._tls_port = tls_port

    async def check(self, request: web.Request, repository: str, right: Right) -> str:
        """Return the name of a request's token, or an empty string where none is needed; raises HTTPException."""
        if right is Right.READ and self._anonymous_read:
            return ""
        if not is_private(request):
            complain("git.refused", client=request.remote, why="without TLS")
            url = f"https://{own_address_of(request)}:{self._tls_port}/git/{repository}{SUFFIX}"
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
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is None:
            raise _unauthorized("give a token as the password, with any user name")
        token = await self._tokens.holder(request, _secret(given))
        if token is None:
            raise _unauthorized("unknown token; create one with 'iluvatar-pxe fleet token add'")
        return token


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
