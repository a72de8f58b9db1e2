"""The zones in force, made anew when something that they tell has changed."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

import structlog

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.names.authority import Authority
from iluvatar_pxe.names.fleet_zones import Facts, zones_of
from iluvatar_pxe.names.local import local_zones
from iluvatar_pxe.names.members import leaders, members_of
from iluvatar_pxe.servers.interfaces import Interface

LOOK_SECONDS = 0.2
"""Between two looks: what the zones tell is to be told within a second of what caused it."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Sources:
    """Where the zones' content comes from."""

    snapshot: Callable[[], Snapshot]
    fleet: Callable[[], Fleet]
    alive: Callable[[], frozenset[IPv4Address]]
    """Leaders of clusters whose API answers."""
    repository: IPv4Address | None = None
    """Where the fleet's repository is hosted, where that is not here."""


class _Seen(NamedTuple):
    """What was found at a look; each part is replaced, never changed."""

    snapshot: Snapshot
    fleet: Fleet
    alive: frozenset[IPv4Address]
    interfaces: tuple[Interface, ...]


class Zones:
    """``changed`` is called when answers given until now may be wrong."""

    def __init__(self, sources: Sources, changed: Callable[[], None]) -> None:
        self._sources = sources
        self._changed = changed
        self._interfaces: tuple[Interface, ...] = ()
        self._seen: _Seen | None = None
        self._local = local_zones()
        self._authorities: Mapping[IPv4Address, Authority] = {}
        self._none = Authority(self._local)
        self.facts = Facts(sources.fleet())
        self.serial = 0

    def serve(self, interfaces: Sequence[Interface]) -> None:
        """Answer for these interfaces' networks."""
        if self._interfaces != tuple(interfaces):
            self._interfaces = tuple(interfaces)
            self._adopt(_facts(self._look(), self._sources.repository))

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        """The daemon's own, which it listens on."""
        return frozenset(self._authorities)

    @property
    def leaders(self) -> frozenset[IPv4Address]:
        """Where the clusters' API servers are."""
        members = (one for layer in self.facts.fleet.layers for one in leaders(self.facts.members, layer))
        return frozenset(one.address for one in members if one.address)

    def at(self, address: IPv4Address) -> Authority:
        """Return the zones as a client learns them that asks at one of the daemon's addresses."""
        return self._authorities.get(address, self._none)

    async def run(self) -> None:
        """Follow what the zones tell, until cancelled."""
        while True:
            seen = self._look()
            if self._seen is None or any(new is not old for new, old in zip(seen, self._seen, strict=True)):
                self._seen = seen
                facts = await asyncio.to_thread(_facts, seen, self._sources.repository)
                if facts != self.facts:
                    self._adopt(facts)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> _Seen:
        sources = self._sources
        return _Seen(sources.snapshot(), sources.fleet(), sources.alive(), self._interfaces)

    def _adopt(self, facts: Facts) -> None:
        self.facts = facts
        self.serial = max(self.serial + 1, int(time.time())) & 0xFFFFFFFF
        addresses = dict.fromkeys(interface.address for interface in self._interfaces)
        self._authorities = {
            address: Authority({**self._local, **zones_of(facts, self.serial, address)})
            for address in addresses
        }
        self._changed()
        _log.debug("dns.zones", serial=self.serial, machines=len(facts.members))


def _facts(seen: _Seen, repository: IPv4Address | None) -> Facts:
    members = members_of(seen.snapshot, seen.fleet)
    return Facts(seen.fleet, members, seen.alive, _networks(seen.interfaces), repository)


def _networks(interfaces: Iterable[Interface]) -> tuple[IPv4Network, ...]:
    return tuple(dict.fromkeys(interface.network for interface in interfaces))
