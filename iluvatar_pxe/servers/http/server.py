"""The HTTP server: its addresses, and the routes of the outside contract."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address

from aiohttp import web

from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.catalogue.download import Digest
from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.provisioning.booter import Booters
from iluvatar_pxe.provisioning.countdowns import Countdowns
from iluvatar_pxe.servers.http.connections import LIMITS, Limits
from iluvatar_pxe.servers.http.context import (
    BOOTERS,
    CERTIFICATES,
    COUNTDOWNS,
    HEALTH,
    OFFERED,
    PLAIN_PORT,
    SENDER,
)
from iluvatar_pxe.servers.http.faults import one_line_runner, quiet_logger
from iluvatar_pxe.servers.http.gate import Gate
from iluvatar_pxe.servers.http.late_routes import LateRoutes, Load
from iluvatar_pxe.servers.http.repeated import RepeatedScripts
from iluvatar_pxe.servers.http.routes import (
    assets,
    ca,
    cloud_init,
    config,
    enrolment,
    installer,
    node_tasks,
    readiness,
    schemas,
    scripts,
)
from iluvatar_pxe.servers.http.sending import FileSender
from iluvatar_pxe.servers.http.tls import HandshakeLimit, TlsSite
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.tls.names import Names, names_of

IDLE_SECONDS = 30.0
"""How long a connection may say nothing: firmware that was switched off leaves its connections open."""
LONGEST_LINE = 64 << 10
"""Octets of a request's first line: what SMBIOS says may be 4 KB in each of its texts, and thrice that as a URL."""
MOST_HEADERS, LONGEST_HEADER = 64, 4096
"""Of one request, and bytes of each: a browser sends about twenty-five. A header that does not end is kept in memory."""
_LOCALHOST = IPv4Address("127.0.0.1")


async def nothing_offered(_: Digest) -> None:
    """Have no downloaded file."""


class HttpServer:
    """Serves boot scripts, boot files, configurations and health on each interface's address and loopback.

    There are two ports for the same: a plain one, which firmware needs, and one with TLS.
    """

    def __init__(
        self,
        settings: HttpSettings,
        booters: Booters,
        health: Health,
        certificates: Certificates,
        *,
        offered: Callable[[Digest], Awaitable[Source | None]] = nothing_offered,
        routes: Iterable[web.RouteDef] = (),
        late: Load | None = None,
        meter: ProtocolMeter | None = None,
        idle: float = IDLE_SECONDS,
        limits: Limits = LIMITS,
    ) -> None:
        """``offered`` opens a downloaded file by its checksum, for other daemons.

        ``routes`` are those of parts that are not always there: the repositories, a webhook; ``late`` loads more of them. ``meter`` counts requests.
        """
        self.certificates = certificates
        self._settings = settings
        self._applied = booters.real.applied
        mac_of = booters.real.trust.mac_of
        self._handshakes = HandshakeLimit(lambda: certificates.shown.context, mac_of)
        self._sites: dict[tuple[str, int], web.BaseSite | TlsSite] = {}
        self._gate = Gate(settings.allow, lambda: self._domain)
        self._addresses: tuple[IPv4Address, ...] = ()
        app = web.Application()
        self.meter = meter or ProtocolMeter()
        app[SENDER] = self._sender = FileSender(self.meter)
        app[BOOTERS], app[HEALTH] = booters, health
        app[COUNTDOWNS] = countdowns = Countdowns(time.monotonic)
        app[OFFERED] = offered
        app[CERTIFICATES], app[PLAIN_PORT] = certificates, settings.port
        parts = (
            scripts,
            enrolment,
            assets,
            ca,
            cloud_init,
            installer,
            node_tasks,
            config,
            readiness,
            schemas,
        )
        for part in parts:
            app.add_routes(part.ROUTES)
        app.add_routes(routes)
        if late:
            app.router.register_resource(LateRoutes(late))
        self._repeated = RepeatedScripts(booters, countdowns, self._gate, self.meter, settings.port)
        self._runner = one_line_runner(
            app,
            limits,
            mac_of,
            self.meter,
            self._gate.admit,
            self._repeated.answer,
            access_log=None,
            logger=quiet_logger(),
            keepalive_timeout=idle,
            handle_signals=False,
            max_line_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            max_field_size=LONGEST_HEADER,
        )

    async def serve(self, interfaces: Sequence[Interface]) -> list[ServerError]:
        """Listen on the addresses of these interfaces and on loopback; return an error for each that cannot be bound.

        Responses that run go on.
        """
        if self._runner.server is None:
            await self._runner.setup()
        self._gate.follow(interfaces)
        self._repeated.clear()
        self._addresses = tuple(dict.fromkeys([*(one.address for one in interfaces), _LOCALHOST]))
        await self.certificates.renew(self._names())
        ports = (self._settings.port, self._settings.tls_port)
        places = dict.fromkeys((str(address), port) for address in self._addresses for port in ports)
        for place in self._sites.keys() - places:
            await self._sites.pop(place).stop()
        new = (place for place in places if place not in self._sites)
        return [error for place in new if (error := await self._listen(*place))]

    async def run(self) -> None:
        """Keep the certificate of the TLS port good, until cancelled."""
        await self.certificates.run(self._names)

    async def close(self, grace: float) -> None:
        """Accept nothing new, let running responses finish within ``grace`` seconds, and end."""
        while self._sites:
            await self._sites.popitem()[1].stop()
        if server := self._runner.server:
            await asyncio.sleep(0)  # what was accepted begins to be served
            server.pre_shutdown()
            await server.shutdown(grace / 2)  # it waits for so long twice
        await self._runner.cleanup()
        await self._sender.close()
        self._handshakes.close()

    def _names(self) -> Names:
        return names_of(os.uname().nodename, self._domain, self._addresses)

    async def _listen(self, address: str, port: int) -> ServerError | None:
        site: web.BaseSite | TlsSite = web.TCPSite(self._runner, address, port)
        key = "port"
        if port == self._settings.tls_port:
            site, key = TlsSite(self._runner, address, port, self._handshakes), "tls_port"
        try:
            await site.start()
        except OSError as error:
            await site.stop()
            reason = (error.strerror or str(error)).partition(": ")[2] or error.strerror
            return ServerError(
                f"cannot listen on TCP {address}:{port}: {reason}; free it or set another [http] {key}"
            )
        self._sites[address, port] = site
        return None

    @property
    def _domain(self) -> str:
        return self._applied.fleet.settings.domain
