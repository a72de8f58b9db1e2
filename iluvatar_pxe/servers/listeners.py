"""All that listens on the interfaces that are served, as one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.neighbours import Neighbours
from iluvatar_pxe.servers.dhcp.server import DhcpServer
from iluvatar_pxe.servers.dns.server import DnsServer
from iluvatar_pxe.servers.http.server import HttpServer
from iluvatar_pxe.servers.ndp.server import NdpServer
from iluvatar_pxe.servers.ntp.server import NtpServer
from iluvatar_pxe.servers.talos.server import TalosServer
from iluvatar_pxe.servers.tftp.server import TftpServer
from iluvatar_pxe.settings.model import Settings

_log = structlog.get_logger()

Foretell = Callable[[Sequence[Interface]], None]
"""Tells people what the daemon is going to do on interfaces."""


@dataclass
class Listeners:
    """The servers, which follow the interfaces together; ``announced`` are those that the log has told of.

    ``foretold`` are those of which was told what follows on them; None before the start.
    """

    settings: Settings
    dhcp: DhcpServer
    dns: DnsServer
    http: HttpServer
    ndp: NdpServer
    ntp: NtpServer
    neighbours: Neighbours
    tftp: TftpServer
    talos: TalosServer
    foretold: dict[Interface, None] | None = None
    announced: dict[Interface, None] = field(default_factory=dict)

    async def serve(self, foretell: Foretell, interfaces: Sequence[Interface]) -> list[ServerError]:
        """Serve these interfaces and no others; return an error for each socket that cannot be bound.

        ``foretell`` tells what follows on interfaces: at the start, and before anybody on a new one is answered.
        """
        self._foretell(foretell, interfaces)
        self.neighbours.serve(interfaces)
        errors = self.tftp.serve(one.address for one in interfaces)
        errors += await self.http.serve(interfaces)
        errors += await self.dns.serve(interfaces)
        errors += await self.talos.serve(interfaces)
        self.ntp.serve(interfaces)
        if self.settings.network.dhcp != "off":
            errors += self.dhcp.serve(interfaces)
        if self.settings.network.dhcp == "proxy":
            self.ndp.serve(interfaces)
        if not errors:
            self._announce(interfaces)
        return errors

    def _foretell(self, foretell: Foretell, interfaces: Sequence[Interface]) -> None:
        new = [one for one in interfaces if one not in (self.foretold or {})]
        if new or self.foretold is None:
            foretell(new)
        self.foretold = dict.fromkeys(interfaces)

    def _announce(self, interfaces: Sequence[Interface]) -> None:
        for gone in self.announced.keys() - set(interfaces):
            _log.info("listening.ended", interface=gone.name, address=str(gone.address))
        for new in interfaces:
            if new not in self.announced:
                _log.info("listening", **sockets_of(self.settings, new))
        self.announced = dict.fromkeys(interfaces)


def sockets_of(settings: Settings, interface: Interface) -> dict[str, str]:
    """Return by protocol the socket addresses of one interface."""
    address = interface.address
    ports = f"{address}:{settings.dhcp.port} and :{settings.dhcp.pxe_port}"
    dhcp = {"proxy": ports, "observe": f"{ports}, observed only", "off": "off"}
    return {
        "interface": interface.name,
        "dhcp": dhcp[settings.network.dhcp],
        "dns": f"{address}:{settings.dns.port}" if settings.dns.enabled else "off",
        "tftp": f"{address}:{settings.tftp.port}",
        "http": f"{address}:{settings.http.port}",
        "https": f"{address}:{settings.http.tls_port}",
        "talos": f"{address}:{settings.talos.event_port} and :{settings.talos.kernel_log_port}",
        "ntp": f"{address}:{settings.ntp.port}" if settings.ntp.enabled else "off",
    }
