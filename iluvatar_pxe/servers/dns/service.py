"""DNS as a whole: the server, and all that it needs to know."""

import asyncio
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.dns.forwarding import kept_here
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.servers.dns.api_probe import ApiProbe
from iluvatar_pxe.servers.dns.forwarder import Forwarder
from iluvatar_pxe.servers.dns.recursion import Recursion
from iluvatar_pxe.servers.dns.server import DnsServer
from iluvatar_pxe.servers.dns.upstreams import Upstreams
from iluvatar_pxe.servers.dns.zones import Sources
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.wire.dns.name import Name, name_of, text_of

_SSH_HOST = re.compile(r"(?:[^@/]*@)?([0-9.]+):")


class NameService:
    """Builds the parts, and runs them together."""

    def __init__(
        self,
        settings: Settings,
        snapshot: Callable[[], Snapshot],
        fleet: Callable[[], Fleet],
        changes: Iterable[Changed],
    ) -> None:
        """``snapshot`` and ``fleet`` return what is known and declared now; ``changes`` tell when names may be others."""
        self._settings = settings.dns
        self._upstreams = Upstreams(
            settings.dns.upstream,
            settings.state_directory,
            port=settings.dns.port,
            forward={name_of(domain): resolvers for domain, resolvers in settings.dns.forward.items()},
        )
        self._fleet = fleet
        recursion = Recursion(Forwarder(), self._upstreams.for_question, self._inner_domains)
        self._probe = probe = ApiProbe()
        sources = Sources(
            snapshot,
            fleet,
            lambda: probe.alive,
            (*changes, probe.changed),
            repository_host(settings.fleet.source),
            probe.want,
        )
        self.server = DnsServer(settings.dns, sources, recursion)

    def _inner_domains(self) -> frozenset[Name]:
        """Return the domains whose names may have private addresses: the fleet's choice, and what is known to be inside."""
        return self._upstreams.inner_domains | set(map(name_of, self._fleet().settings.private_domains))

    @property
    def problem(self) -> str | None:
        """Why names elsewhere cannot be asked for, in one line, or None."""
        if not self._settings.enabled:
            return None
        forward = map(name_of, self._settings.forward)
        if kept := kept_here(forward, name_of(self._fleet().settings.domain)):
            names = ", ".join(sorted(map(text_of, kept)))
            return f"[dns] forward has {names}: the fleet's own and special names stay here; remove what is named"
        return self._upstreams.problem

    async def run(self) -> None:
        """Answer, and follow everything that answers depend on, until cancelled."""
        if not self._settings.enabled:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._upstreams.run(lambda: self.server.zones.addresses))
            group.create_task(self._probe.run(lambda: self.server.zones.rivals, self.server.settle))
            group.create_task(self.server.run())


def repository_host(source: str) -> IPv4Address | None:
    """Return the address of the host in a Git URL; None where it has a name, or where the source is no URL."""
    found = _SSH_HOST.match(source)
    host = found[1] if found else urlsplit(source).hostname
    try:
        return IPv4Address(host or "")
    except ValueError:
        return None
