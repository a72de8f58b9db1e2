"""Which clients may ask: the networks of an ``allow`` setting."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from iluvatar_pxe.host.interfaces import Interface

_LOOPBACK = IPv4Network("127.0.0.0/8")
_MOST_REMEMBERED = 4096

Networks = Iterable[IPv4Network | Literal["local"]]


class Allowed:
    """Says whether a client is in one of the networks; ``local`` is those of the served interfaces, and loopback."""

    def __init__(self, networks: Networks) -> None:
        self._wanted = tuple(networks)
        self._networks: tuple[IPv4Network, ...] = ()
        self.clients: set[str] = set()
        """Addresses that were found to be allowed: looking here first is quick."""
        self.follow(())

    def follow(self, interfaces: Iterable[Interface]) -> None:
        """Take note of which interfaces are served now."""
        local = (*(interface.network for interface in interfaces), _LOOPBACK)
        named = tuple(network for network in self._wanted if isinstance(network, IPv4Network))
        self._networks = (*named, *local) if "local" in self._wanted else named
        self.clients.clear()

    def permits(self, client: str) -> bool:
        """Say whether a client, an IPv4 address as text, may ask."""
        if client in self.clients:
            return True
        if not any(IPv4Address(client) in network for network in self._networks):
            return False
        if len(self.clients) >= _MOST_REMEMBERED:
            self.clients.clear()
        self.clients.add(client)
        return True
