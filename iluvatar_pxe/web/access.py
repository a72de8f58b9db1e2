"""Who may change something."""

from collections.abc import Callable

from aiohttp import hdrs, web

from iluvatar_pxe.gitops.secrets.tokens import OWN, Right, Tokens
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import is_private, own_address_of
from iluvatar_pxe.servers.http.token_check import TokenCheck

_CHALLENGE = 'Bearer realm="iluvatar-pxe"'


class Access:
    """Knows who asks, and what they may do. Reading is for whoever the HTTP server lets in."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float], tls_port: int) -> None:
        self._tokens = TokenCheck(tokens, clock, "web")
        self._tls_port = tls_port

    async def writer(self, request: web.Request) -> str:
        """Return who asks, for the record; raises HTTPException, with the reason, for who may not change anything."""
        if not is_private(request):
            complain("web.refused", client=request.remote, why="without TLS")
            url = f"https://{own_address_of(request)}:{self._tls_port}{request.rel_url.raw_path}"
            raise web.HTTPForbidden(text=f"changes are accepted over TLS only; use {url}")
        if (given := request.headers.get(hdrs.AUTHORIZATION)) is not None:
            return await self._by_token(request, given)
        raise _unauthorized("log in, or give a token: Authorization: Bearer TOKEN")

    async def _by_token(self, request: web.Request, given: str) -> str:
        """Return the token's name. A browser would add Basic by itself to what a hostile page sends, so that is refused."""
        scheme, _, secret = given.partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized("give a token as Authorization: Bearer TOKEN")
        token = await self._tokens.holder(request, secret.strip())
        if token is None:
            raise _unauthorized("unknown token; create one with 'iluvatar-pxe fleet token add NAME --write'")
        if OWN in token.name or token.right is not Right.WRITE:
            complain("web.refused", client=request.remote, token=token.name, why="read-only token")
            raise web.HTTPForbidden(text=f"token {token.name} is read-only")
        return f"token {token.name}"


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: _CHALLENGE})
