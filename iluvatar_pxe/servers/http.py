"""The HTTP server: who may ask, one line for every fault, and the routes of the outside contract."""

import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_address

from aiohttp import web
from aiohttp.typedefs import Handler

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.servers import http_assets, http_config, http_enrolment, http_health, http_scripts
from iluvatar_pxe.servers.countdowns import Countdowns
from iluvatar_pxe.servers.desk import Desk
from iluvatar_pxe.servers.health import Health
from iluvatar_pxe.servers.http_connections import LIMITS, Limits
from iluvatar_pxe.servers.http_context import COUNTDOWNS, DESK, HEALTH, TICKETS
from iluvatar_pxe.servers.http_faults import OneLineRunner, quiet_logger
from iluvatar_pxe.servers.interfaces import Interface
from iluvatar_pxe.servers.tickets import TicketOffice
from iluvatar_pxe.settings import HttpSettings

IDLE_SECONDS = 30.0
"""How long a connection may say nothing: firmware that was switched off leaves its connections open."""
LONGEST_LINE = 64 << 10
"""Octets of a request's first line: what SMBIOS says may be 4 KB in each of its texts, and thrice that as a URL."""
_LOOPBACK = IPv4Network("127.0.0.0/8")


class HttpServer:
    """Serves boot scripts, boot files, configurations and health on each interface's address and loopback."""

    def __init__(
        self,
        settings: HttpSettings,
        desk: Desk,
        tickets: TicketOffice,
        health: Health,
        *,
        idle: float = IDLE_SECONDS,
        limits: Limits = LIMITS,
    ) -> None:
        self._settings = settings
        self._sites: dict[str, web.TCPSite] = {}
        self._allowed: tuple[IPv4Network, ...] = ()
        app = web.Application(middlewares=[self._gate])
        app[DESK], app[TICKETS], app[HEALTH] = desk, tickets, health
        app[COUNTDOWNS] = Countdowns(time.monotonic)
        for part in (http_scripts, http_enrolment, http_assets, http_config, http_health):
            app.add_routes(part.ROUTES)
        self._runner = OneLineRunner(
            app,
            limits,
            access_log=None,
            logger=quiet_logger(),
            keepalive_timeout=idle,
            handle_signals=False,
            max_line_size=LONGEST_LINE,
        )

    async def serve(self, interfaces: Iterable[Interface]) -> list[ServerError]:
        """Listen on the addresses of these interfaces and on loopback; return an error for each that cannot be bound.

        Responses that run go on.
        """
        if self._runner.server is None:
            await self._runner.setup()
        self._allowed = _allowed(self._settings, interfaces)
        addresses = dict.fromkeys([*(str(one.address) for one in interfaces), "127.0.0.1"])
        for address in self._sites.keys() - addresses:
            await self._sites.pop(address).stop()
        new = (address for address in addresses if address not in self._sites)
        return [error for address in new if (error := await self._listen(address))]

    async def close(self, grace: float) -> None:
        """Accept nothing new, let running responses finish within ``grace`` seconds, and end."""
        self._runner._shutdown_timeout = grace / 2  # noqa: SLF001 - aiohttp waits for it twice
        await self._runner.cleanup()

    async def _listen(self, address: str) -> ServerError | None:
        port = self._settings.port
        site = web.TCPSite(self._runner, address, port)
        try:
            await site.start()
        except OSError as error:
            await site.stop()
            reason = (error.strerror or str(error)).partition(": ")[2] or error.strerror
            return ServerError(
                f"cannot listen on TCP {address}:{port}: {reason}; free it or set another [http] port"
            )
        self._sites[address] = site
        return None

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in only allowed networks, and only requests that name this server by its address.

        A browser that was lured to a hostile name that resolves to this server sends that name as Host.
        """
        if not any(IPv4Address(request.remote or "0.0.0.0") in network for network in self._allowed):  # noqa: S104
            raise web.HTTPForbidden(text=f"{request.remote} is in no network of [http] allow")
        if not _names_an_address(request.headers.get("Host", "")):
            raise web.HTTPForbidden(text="ask by this server's IP address, not by a name")
        return await handler(request)


def _allowed(settings: HttpSettings, interfaces: Iterable[Interface]) -> tuple[IPv4Network, ...]:
    local = (*(interface.network for interface in interfaces), _LOOPBACK)
    named = tuple(network for network in settings.allow if isinstance(network, IPv4Network))
    return (*named, *local) if "local" in settings.allow else named


def _names_an_address(host: str) -> bool:
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    if not name or name == "localhost":
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
