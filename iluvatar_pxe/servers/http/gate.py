"""Who may ask by HTTP, and by which of this server's names."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from aiohttp import web

from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.servers.allowed import Allowed, Networks
from iluvatar_pxe.servers.http.context import host_of
from iluvatar_pxe.tls.names import services_of

_MOST_HOSTS = 256
"""Host headers of which it is remembered whether they are addresses."""


class Gate:
    """Lets in only allowed networks, and without TLS only requests that name this server by its address, or as DNS does.

    A browser that was lured to a hostile name that resolves to this server sends that name as Host; with TLS it
    finds that the certificate is not for that name.
    """

    def __init__(self, networks: Networks, domain: Callable[[], str]) -> None:
        """``domain`` returns the fleet's."""
        self._allowed = Allowed(networks)
        self._domain = domain

    def follow(self, interfaces: Sequence[Interface]) -> None:
        """Take note of which interfaces are served now."""
        self._allowed.follow(interfaces)

    def admit(self, request: web.BaseRequest) -> None:
        """Raise HTTPForbidden, with the reason, for a request that is not let in."""
        client = request.remote or "0.0.0.0"  # noqa: S104
        if why := self.refusal(client, host_of(request), secure=request.secure):
            raise web.HTTPForbidden(text=why)

    def refusal(self, client: str, host: str, *, secure: bool) -> str:
        """Return why a client at an address may not ask a server by this name; empty where it may."""
        if not self._allowed.permits(client):
            return f"{client} is not in [http] allow; if it may ask, add its network there"
        if secure or self._is_named(host):
            return ""
        names = " or ".join(services_of(self._domain()))
        return f"use this server's IP address or {names}, not another name"

    def _is_named(self, host: str) -> bool:
        """Say whether a Host header names this server by an address, or by a name that only its own DNS gives."""
        if _is_address(host):
            return True
        name = host.rpartition(":")[0] if host.count(":") == 1 else host
        return not name or name == "localhost" or name.lower().rstrip(".") in services_of(self._domain())


@lru_cache(_MOST_HOSTS)
def _is_address(host: str) -> bool:
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
