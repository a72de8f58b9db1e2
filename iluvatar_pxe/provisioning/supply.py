"""Boot files come by themselves: what the applied fleet wants is fetched, pinned and kept."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import structlog

from iluvatar_pxe.assets.brought import remove_copies
from iluvatar_pxe.assets.commands import AssetCommands
from iluvatar_pxe.assets.download.client import Downloader
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.fetcher import Fetcher
from iluvatar_pxe.assets.index import Index
from iluvatar_pxe.assets.job import Means
from iluvatar_pxe.assets.offered import Offered
from iluvatar_pxe.assets.originals import Originals
from iluvatar_pxe.assets.peers import FleetPeers
from iluvatar_pxe.assets.peers_first import PeersFirst
from iluvatar_pxe.assets.placing import Placing
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.assets.unpack.unpack import remove_leftovers, unpack
from iluvatar_pxe.catalogue.choosing import key_of
from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.catalogue.names import ARGO_CD
from iluvatar_pxe.catalogue.packages import packages_of
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.host.packages import installed_versions
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.pins import PinKeeper, Pins
from iluvatar_pxe.provisioning.registering import Registering
from iluvatar_pxe.provisioning.stable import Stable
from iluvatar_pxe.provisioning.wants import Wants
from iluvatar_pxe.resources import read_catalogue
from iluvatar_pxe.settings.model import Settings

AT_ONCE = 4
"""Files that are downloaded at the same time."""

_log = structlog.get_logger()


class Supply:
    """The parts that fetch boot files."""

    def __init__(
        self, settings: Settings, applied: Applied, store: AssetStore, keeper: PinKeeper, changed: Changed
    ) -> None:
        """``changed`` is told when another fleet is applied. Raises AssetError where the catalogue is damaged."""
        self.index = Index(settings.assets_directory)
        self._settings = settings.assets
        self._applied = applied
        catalogue = parse_catalogue(read_catalogue())
        self._packages = packages_of(catalogue)
        self._pins = Pins(keeper)
        self._wants = Wants(applied, catalogue, lambda: self._pins.lock)
        rate = settings.assets.rate_limit
        downloader = Downloader(rate=int(rate) if rate else None)
        originals = Originals(self.index, lambda: any(self.daemons()))
        placing = Placing(store, self.index, unpack, originals)
        peers = FleetPeers(self.daemons, settings.http.port, lambda: applied.fleet.settings.domain or "")
        from_publishers = Registering(applied, partial(download, downloader=downloader))
        means = Means(
            get=PeersFirst(peers, self.index, from_publishers, downloader),
            placing=placing,
            pins=self._pins,
            turns=Turns(AT_ONCE),
        )
        self.fetcher = Fetcher(
            store,
            self.index,
            self._wants,
            means,
            signals=(changed, self._pins.changed),
            fetch=settings.assets.fetch,
        )
        self.offered = Offered(store, self.index, originals, self.fetcher)
        """What other daemons get from here."""
        self._stable = Stable(
            applied,
            lambda: self._wants.unresolved,
            self._pins,
            (changed, self._pins.changed),
            fetch=settings.assets.fetch,
        )
        self.commands = AssetCommands(
            self.fetcher, store, self.index, placing, self._pins, lambda: self._stable.open
        )
        """Where commands are carried out."""

    @property
    def coming(self) -> Coming:
        """The wanted boot files that are not here yet, and the versions that are not chosen yet."""
        if not self._wants.unresolved:  # asked with every turn of DHCP messages
            return self.fetcher.coming
        choices = {key_of(entry): one for entry, one in self._stable.open.items()}
        return {**self.fetcher.coming, **choices}

    def sums(self) -> dict[str, str]:
        """Return the SHA-256 of each boot file that was downloaded or imported, and is here, by its name."""
        given = (pair for record in self.index.records.values() for pair in record.gives.items())
        return {name: one.sha256 for name, one in given}

    @property
    def argo_cd(self) -> str | None:
        """The logical name of Argo CD's manifest, in the version that is wanted; None where no layer wants it."""
        return self._wanted(f"manifests/{ARGO_CD}/")

    @property
    def chart_of_argo_cd(self) -> str | None:
        """The logical name of Argo CD's Helm chart, in the version that is wanted; None where no layer wants it."""
        return self._wanted(f"charts/{ARGO_CD}-")

    def _wanted(self, beginning: str) -> str | None:
        names = (one.name for one in self._wants.downloads)
        return next((name for name in names if name.startswith(beginning)), None)

    async def start(self) -> None:
        """Find out what is wanted, and what of it is there."""
        await self.index.load()
        await asyncio.to_thread(_clean, self.index.directory)
        self._wants.installed = await asyncio.to_thread(installed_versions, self._packages)
        await self.fetcher.look()

    async def run(self) -> None:
        """Fetch what is wanted, until cancelled; ``start`` was called before."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pins.run())
            group.create_task(self.fetcher.run())
            group.create_task(self._stable.run())

    def daemons(self) -> Iterator[str]:
        """Return the places of the other daemons."""
        own = os.uname().nodename
        for place in self._settings.peers:
            if place == "auto":
                yield from (host for host in self._applied.fleet.recipients.daemons if host != own)
            else:
                yield place


def _clean(directory: Path) -> None:
    for remove in (remove_leftovers, remove_copies):
        try:
            remove(directory)
        except OSError as error:
            _log.error(
                "assets.leftovers", why=f"{error.filename}: cannot be removed: {error.strerror}; remove it"
            )
