"""Who may change something: who has a write token, or is logged in and uses this server's own page."""

import hmac
from collections.abc import Callable
from urllib.parse import quote

from aiohttp import hdrs, web

from iluvatar_pxe.gitops.secrets.tokens import OWN, Right, Tokens
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import client_of, is_private, own_address_of
from iluvatar_pxe.servers.http.token_check import TokenCheck
from iluvatar_pxe.web.forms import form_of
from iluvatar_pxe.web.login.attempts import in_thread
from iluvatar_pxe.web.login.cookie import CSRF_FIELD, CSRF_HEADER, csrf_token, given_secret, is_from_own_page
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.visitor import Visitor

_CHALLENGE = 'Bearer realm="iluvatar-pxe"'


class Access:
    """Knows who asks, and what they may do. Reading is for whoever the HTTP server lets in."""

    def __init__(self, tokens: Tokens, logins: Logins, clock: Callable[[], float], tls_port: int) -> None:
        self._tokens = TokenCheck(tokens, clock, "web")
        self._logins = logins
        self._tls_port = tls_port

    async def writer(self, request: web.Request) -> str:
        """Return who asks, for the record; raises HTTPException, with the reason, for who may not change anything."""
        self.check_private(request)
        if (given := request.headers.get(hdrs.AUTHORIZATION)) is not None:
            return await self._by_token(request, given)
        if secret := await self._session(request):
            await self._check_page(request, secret)
            return f"web ({client_of(request)})"
        raise _unauthorized("log in, or give a token: Authorization: Bearer TOKEN")

    async def visitor(self, request: web.Request) -> Visitor:
        """Return who looks at a page."""
        try:
            secret = await self._session(request)
        except web.HTTPServiceUnavailable:  # the log says why; whoever looks may look
            secret = ""
        here = "" if is_private(request) else self._secure(request, "")
        back = f"?next={quote(request.rel_url.raw_path)}" if request.method == hdrs.METH_GET else ""
        return Visitor(csrf=csrf_token(secret) if secret else "", login_url=f"{here}/login{back}")

    def check_private(self, request: web.Request) -> None:
        """Raise HTTPForbidden, with where to go instead, if others can read the request on its way."""
        if not is_private(request):
            complain("web.refused", client=request.remote, why="without TLS")
            url = self._secure(request, request.rel_url.raw_path)
            raise web.HTTPForbidden(text=f"changes are accepted over TLS only; use {url}")

    def _secure(self, request: web.Request, path: str) -> str:
        return f"https://{own_address_of(request)}:{self._tls_port}{path}"

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

    async def _session(self, request: web.Request) -> str:
        """Return the secret of the session that a request belongs to; empty if it belongs to none."""
        secret = given_secret(request) if is_private(request) else ""
        is_known = bool(secret) and await in_thread(lambda: self._logins.knows(secret))
        return secret if is_known else ""

    async def _check_page(self, request: web.Request, secret: str) -> None:
        """Raise HTTPForbidden if another page than this server's own has the browser send this."""
        if not is_from_own_page(request):
            complain("web.refused", client=request.remote, why="another page's request")
            raise web.HTTPForbidden(text="another page has sent this; use this server's own")
        token = request.headers.get(CSRF_HEADER, "")
        if not token:
            token = (await form_of(request)).get(CSRF_FIELD, "")
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), csrf_token(secret).encode()):
            complain("web.refused", client=request.remote, why="no CSRF token")
            raise web.HTTPForbidden(text="the CSRF token is missing; load the page again")


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=text, headers={hdrs.WWW_AUTHENTICATE: _CHALLENGE})
