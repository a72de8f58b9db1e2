"""What ``plan`` goes by: the fleet, the inventory and the boot files as they are now. Nothing is written."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from iluvatar_pxe.assets.catalogue import SYSTEM_PROGRAMS, Listing, list_assets
from iluvatar_pxe.boot.decide import Context
from iluvatar_pxe.cli.tables import span
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.reading import fleet_in_force
from iluvatar_pxe.host.interfaces import find_interfaces
from iluvatar_pxe.inventory.database.queries import Stored
from iluvatar_pxe.inventory.database.read_only import read_only
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.window import FIRST_WINDOW_SECONDS
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.settings.model import Settings

NO_ADDRESS = IPv4Address("192.0.2.1")
"""Stands for this server's address where it has none now (RFC 5737)."""


@dataclass(frozen=True, slots=True)
class Premises:
    """The state of one moment; ``stored`` is None where no daemon has run yet."""

    settings: Settings
    fleet: Fleet
    stored: Stored | None
    assets: Listing
    now: datetime

    @classmethod
    def read(cls, settings: Settings) -> "Premises":
        """Read everything; raises FleetError, RepositoryError and InventoryError."""
        return cls(
            settings=settings,
            fleet=asyncio.run(fleet_in_force(settings)),
            stored=_stored(settings.database_url),
            assets=list_assets(settings.assets_directory, SYSTEM_PROGRAMS),
            now=datetime.now(UTC),
        )

    @property
    def snapshot(self) -> Snapshot:
        """All machines."""
        return self.stored.snapshot if self.stored else Snapshot()

    @property
    def context(self) -> Context:
        """What a decision needs besides, for a request that comes from the machine itself."""
        return Context(ready=self.assets.names, window_open=self._window > 0)

    def links(self, address: IPv4Address | None) -> Links:
        """Return this server as a machine with ``address`` would reach it."""
        interfaces = find_interfaces(self.settings.network.interfaces).interfaces
        near = (one.address for one in interfaces if address and address in one.network)
        first = next((one.address for one in interfaces), NO_ADDRESS)
        return Links(next(near, first), self.settings.http.port)

    def size_of(self, name: str) -> int | None:
        """Return the octets of a boot file, or None when it is not there."""
        path = self.assets.files.get(name)
        try:
            return path.stat().st_size if path else None
        except FileNotFoundError:  # gone since
            return None

    def assumed(self, links: Links) -> dict[str, str]:
        """Say what this goes by, in words."""
        mode = self.fleet.settings.enrolment.mode
        window = f"open for {span(int(self._window))}" if self._window > 0 else "closed"
        ready = f"{len(self.assets.names)} in {self.settings.assets_directory} and {SYSTEM_PROGRAMS}"
        place = Store(self.settings.database_url).path
        return {
            "trust": "it is the machine itself that asks, and this server sees it ask by DHCP",
            "enrolment": f"mode {mode}; the window is {window}",
            "fleet": self.settings.fleet_place,
            "inventory": f"{place}" if self.stored else f"{place} is not there yet, so nothing was seen",
            "boot files": self.assets.problem or ready,
            "this server": links.base
            + " (an example: it has no address now)" * (links.address == NO_ADDRESS),
        }

    @property
    def _window(self) -> float:
        """Return the seconds for which the enrolment window stays open; the first start opens it."""
        if self.stored is None or self.stored.window is None:
            return FIRST_WINDOW_SECONDS
        return self.stored.window.remaining_at(self.now)


def _stored(url: str) -> Stored | None:
    return None if _is_missing(Store(url).path) else read_only(url)


def _is_missing(path: Path) -> bool:
    """Say whether a path leads nowhere; one that is closed to this user is for its reader to complain about."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
