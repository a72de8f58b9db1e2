"""The zones in force, made anew when something that they tell has changed."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface
from typing import NamedTuple

import structlog
from msgspec import Struct, field

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.dns.authority import Authority
from iluvatar_pxe.dns.fleet_zones import Facts, Places, places_of, zones_of
from iluvatar_pxe.dns.forwarding import kept_here
from iluvatar_pxe.dns.local import local_zones
from iluvatar_pxe.dns.members import MemberList, rivals
from iluvatar_pxe.dns.zone import Zone
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.wire.dns.name import Name, name_of

LOOK_SECONDS = 0.1
"""Between two looks, at least: 1,000 machines that boot are no reason to make the zones 1,000 times."""

_log = structlog.get_logger()


class Sources(Struct, frozen=True):
    """Where the zones' content comes from."""

    snapshot: Callable[[], Snapshot]
    fleet: Callable[[], Fleet]
    alive: Callable[[], frozenset[IPv4Address]]
    """Leaders of clusters whose API answers."""
    changes: tuple[Changed, ...]
    """Told whenever one of these three may say something else of names than before."""
    repository: IPv4Address | None = None
    """Where the fleet's repository is hosted, where that is not here."""
    is_alive_known: Callable[[], bool] = lambda: True
    """Have leaders asked for a while; say whether ``alive`` is up to date."""


class _Seen(NamedTuple):
    """What was found at a look; each part is replaced, never changed."""

    snapshot: Snapshot
    fleet: Fleet
    alive: frozenset[IPv4Address]
    interfaces: tuple[Interface, ...]


class _Made(Struct, frozen=True):
    """The zones, and what they were made of."""

    facts: Facts
    interfaces: tuple[Interface, ...] = ()
    serial: int = 0
    authorities: Mapping[IPv4Address, Authority] = field(default_factory=dict)
    """By the daemon's address that is asked."""
    places: Places = field(default_factory=dict)
    """For the next zones, which differ in a few."""


class Zones:
    """``changed`` is called when answers given until now may be wrong."""

    def __init__(
        self, sources: Sources, changed: Callable[[], None], forward: frozenset[Name] = frozenset()
    ) -> None:
        """``forward`` are domains of which others know the names: they are in no local zone."""
        self._sources = sources
        self._changed = changed
        self._interfaces: tuple[Interface, ...] = ()
        self._forward = forward
        self._members = MemberList()
        self._local = local_zones()
        self._none = self._authority(sources.fleet(), {})
        self._now = _Made(Facts(sources.fleet()))

    def serve(self, interfaces: Sequence[Interface]) -> None:
        """Answer for these interfaces' networks."""
        if self._interfaces != tuple(interfaces):
            self._interfaces = tuple(interfaces)
            self._adopt(self._made(self._look()))

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        """The daemon's own, which it listens on."""
        return frozenset(self._now.authorities)

    @property
    def rivals(self) -> frozenset[IPv4Address]:
        """Where the leaders are of clusters that have several."""
        return rivals(self._now.facts.members)

    def know_leaders(self) -> bool:
        """Have leaders asked for a while; say whether the zones tell who of them is alive now."""
        sources = self._sources
        return sources.is_alive_known() and self._now.facts.alive == sources.alive()

    def at(self, address: IPv4Address) -> Authority:
        """Return the zones as a client learns them that asks at one of the daemon's addresses."""
        return self._now.authorities.get(address, self._none)

    async def run(self) -> None:
        """Follow what the zones tell, until cancelled."""
        with Subscription(*self._sources.changes) as news:
            while True:
                await news.wait()
                before = self._now
                made = await asyncio.to_thread(self._made, self._look())
                if self._now is before:  # otherwise ``serve`` has looked later
                    self._adopt(made)
                await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> _Seen:
        sources = self._sources
        return _Seen(sources.snapshot(), sources.fleet(), sources.alive(), self._interfaces)

    def _made(self, seen: _Seen) -> _Made:
        """Return the zones of what was seen; those that there are, where they tell the same. For a thread, too."""
        interfaces = seen.interfaces
        own = tuple(IPv4Interface((one.address, one.network.prefixlen)) for one in interfaces)
        members = self._members.of(seen.snapshot, seen.fleet)
        facts = Facts(seen.fleet, members, seen.alive, own, self._sources.repository)
        now = self._now
        if facts == now.facts and interfaces == now.interfaces:
            return now
        serial = max(now.serial + 1, int(time.time())) & 0xFFFFFFFF
        places = places_of(facts, now.places)
        authorities = {
            one.address: self._authority(seen.fleet, zones_of(facts, serial, one.address, places))
            for one in interfaces
        }
        return _Made(facts, interfaces, serial, authorities, places)

    def _authority(self, fleet: Fleet, zones: Mapping[Name, Zone]) -> Authority:
        """Return the fleet's zones with the local ones, but for the names that others are asked for."""
        forward = self._forward - kept_here(self._forward, name_of(fleet.settings.domain))
        local = {apex: zone for apex, zone in self._local.items() if apex not in forward}
        return Authority({**local, **zones}, forward)

    def _adopt(self, made: _Made) -> None:
        if made is not self._now:
            self._now = made
            self._changed()
            _log.debug("dns.zones", serial=made.serial, machines=len(made.facts.members))
