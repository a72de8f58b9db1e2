"""The cookie that has a session's secret, and what a page has to know besides that to change something."""

import base64
import hashlib
import hmac
import re

from aiohttp import web

from iluvatar_pxe.servers.http.context import host_of
from iluvatar_pxe.web.login.logins import LIFETIME

CSRF_FIELD, CSRF_HEADER = "csrf", "X-CSRF-Token"
"""Where a form has the token, and where scripts send it."""
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def given_secret(request: web.Request) -> str:
    """Return the secret in a request's cookie; empty where there is nothing that can be one."""
    given = request.cookies.get(_name(request), "")
    return given if _SECRET.fullmatch(given) else ""


def give(response: web.Response, request: web.Request, secret: str) -> None:
    """Have the browser keep a session's secret, and send it with requests of this server's own pages only."""
    response.set_cookie(
        _name(request),
        secret,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=request.secure,
        httponly=True,
        samesite="Strict",
    )


def take_away(response: web.Response, request: web.Request) -> None:
    """Have the browser forget it."""
    response.del_cookie(_name(request), path="/", secure=request.secure, httponly=True, samesite="Strict")


def csrf_token(secret: str) -> str:
    """Return what this server's own pages know of a session: it is in no cookie, so other pages have it not sent."""
    mark = hmac.digest(secret.encode(), b"csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(mark).rstrip(b"=").decode()


def is_from_own_page(request: web.Request) -> bool:
    """Say whether a page of this very server sends a request. Browsers say with each POST whose page it is.

    SameSite does not tell a page of another port from one of ours, nor does the login form have a token.
    """
    own = f"{request.scheme}://{host_of(request)}"
    return request.headers.get("Origin", "").lower() == own.lower()


def _name(request: web.Request) -> str:
    """Return the cookie's name, which has the port in it: browsers send it to every port of a host.

    Over TLS ``__Host-`` has them accept it from this host only (RFC 6265bis, 4.1.3.2).
    """
    if request.transport is None:
        raise web.HTTPServiceUnavailable(text="the connection was closed")
    port = request.transport.get_extra_info("sockname")[1]
    return f"__Host-iluvatar-{port}" if request.secure else f"iluvatar-{port}"
