"""Resolves publishers' names, and keeps redirects away from this host."""

import socket
import urllib.request
from ipaddress import ip_address

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from iluvatar_pxe.assets.download.route import IsOwn, inside, is_inside, literal, parse_address


class Guard(AbstractResolver):
    """Resolves the names of one request: only the configured address may be inside, and then all may."""

    def __init__(self, what: str, configured: URL, is_own: IsOwn) -> None:
        self._what = what
        self._configured = configured.host
        self._is_own = is_own
        self._resolver = DefaultResolver()
        self._proxies = _proxies()
        address = literal(configured.host or "")
        self._may_be_inside = address is not None and is_inside(address, is_own)

    def check(self, url: URL) -> None:
        """Raise DownloadError if a redirect leads inside, as far as its address tells without DNS."""
        address = literal(url.host or "")
        if address is not None and not self._may_be_inside and is_inside(address, self._is_own):
            raise inside(self._what, url.host or "")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a name's addresses; raises OSError, or DownloadError if a redirect leads inside."""
        found = await self._resolver.resolve(host, port, family)
        if host in self._proxies:
            return found
        outside = [one for one in found if not self._is_inside(one)]
        if host == self._configured:
            self._may_be_inside |= len(outside) < len(found)
        if self._may_be_inside:
            return found
        if not outside:
            raise inside(self._what, host)
        return outside

    async def close(self) -> None:
        """Let go of what resolves."""
        await self._resolver.close()

    def _is_inside(self, result: ResolveResult) -> bool:
        return is_inside(ip_address(result["host"].partition("%")[0]), self._is_own)


def _proxies() -> set[str | None]:
    """Return the hosts of the environment's proxies; raises DownloadError if one is malformed."""
    found = urllib.request.getproxies_environment()
    return {parse_address(f"{kind}_proxy", found[kind]).host for kind in ("http", "https") if found.get(kind)}
