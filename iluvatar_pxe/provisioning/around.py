"""What this daemon knows of the networks that it serves, for the configurations of machines there."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.assets.factory import registry_of
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.resolving import address_of
from iluvatar_pxe.host.routes import ROUTES, parse_default_routes
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.settings.model import TalosSettings

MOST_DAEMONS = 8
"""Other daemons that a machine is told of."""
_SECONDS = 3.0
"""Until a daemon's name counts as unknown."""


class Around(Struct, frozen=True, kw_only=True):
    """Looks at the moment when a machine asks: addresses and routes change."""

    applied: Applied
    interfaces: Callable[[], Sequence[Interface]]
    """Returns those that are served."""
    daemons: Callable[[], Iterable[str]]
    """Returns where the fleet's other daemons are: addresses or host names, perhaps with a port."""

    ports: TalosSettings
    """At which this daemon takes what machines report."""

    async def of(self, client: IPv4Address) -> Surroundings:
        """Return what there is on the network of a client; raises ConfigurationError."""
        interface = self._interface(client)
        hosts = [place.partition(":")[0] for place in self.daemons()][:MOST_DAEMONS]
        domain = self.applied.fleet.settings.domain or ""
        found = await asyncio.gather(*(address_known(host, domain) for host in hosts))
        return Surroundings(
            here=interface.address,
            network=interface.network,
            daemons=tuple(sorted({one for one in found if one and one != interface.address})),
            lacks_daemons=not all(found),
            router=await asyncio.to_thread(router_of, interface),
            registry=await asyncio.to_thread(registry_of, self.applied.fleet),
            ports=self.ports,
        )

    def _interface(self, client: IPv4Address) -> Interface:
        """Return the interface that a client is behind; a simulated machine on this host is behind the first one."""
        served = self.interfaces()
        near = (one for one in served if client in one.network)
        if found := next(near, next(iter(served), None)):
            return found
        raise ConfigurationError("no interface with an IPv4 address is served; correct [network] interfaces")


async def address_known(host: str, domain: str) -> IPv4Address | None:
    """Return the address of a daemon; None while its name is not known."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            return IPv4Address(await address_of(host, domain))
    return None


def router_of(interface: Interface) -> IPv4Address | None:
    """Return the default router of an interface's network; blocks."""
    routes = parse_default_routes(ROUTES.read_text(encoding="utf-8", errors="surrogateescape"))
    gateways = (route.gateway for route in routes if route.interface == interface.name)
    return next((one for one in gateways if one and one in interface.network), None)
