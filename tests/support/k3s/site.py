"""Where stand-ins for k3s stand: names, addresses of loopback, and which kubelets are alive."""

import asyncio
import socket
from dataclasses import dataclass, field

from aiohttp.abc import AbstractResolver, ResolveResult
from support.talos.site import addresses_by_dns

PAUSE_SECONDS = 0.1
"""Between two looks at the same thing; k3s takes 5 to 15 seconds."""


@dataclass
class Site:
    """One network of nodes."""

    names: dict[str, list[str]] = field(default_factory=dict)
    """Addresses by name, as the network's DNS has them."""
    dns: str = ""
    """``ADDRESS:PORT`` of the server that is asked for other names."""
    is_probed: bool = False
    """DNS has a server only while its API answers, as ours does; else it has all, also one that is joining (k3s#9661)."""
    serving: set[str] = field(default_factory=set)
    """Addresses of the servers whose API answers."""
    boots: dict[str, str] = field(default_factory=dict)
    """By address, the id of the node's boot, which is another one each time that it gets power."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request that servers have got."""
    kubelets: set[str] = field(default_factory=set)
    """UIDs of the Nodes whose kubelet posts its status."""

    async def resolve(self, name: str) -> list[str]:
        """Return the addresses of a name."""
        if name not in self.names and self.dns:
            return await addresses_by_dns(name, self.dns)
        found = self.names.get(name, [])
        return [address for address in found if address in self.serving] if self.is_probed else found

    async def pause(self) -> None:
        await asyncio.sleep(PAUSE_SECONDS)


class Resolver(AbstractResolver):
    """Resolves names as the site does, then to the servers that an agent has learned before."""

    def __init__(self, site: Site, learned: list[str]) -> None:
        self._site, self._learned = site, learned

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = dict.fromkeys([*await self._site.resolve(host), *self._learned])
        if not addresses:
            raise OSError(None, f"lookup {host}: no such host")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None: ...
