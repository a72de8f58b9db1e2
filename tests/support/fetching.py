"""A fetcher of a small directory, for tests: what it wants is said by the test, and pins are kept in memory."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from support.waiting import until

from iluvatar_pxe.assets.commands import AssetCommands
from iluvatar_pxe.assets.download.client import Downloader, Timing
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.download.patience import Pauses
from iluvatar_pxe.assets.fetcher import Fetcher
from iluvatar_pxe.assets.index import Index
from iluvatar_pxe.assets.job import Means
from iluvatar_pxe.assets.offered import Offered
from iluvatar_pxe.assets.originals import Originals
from iluvatar_pxe.assets.peers import FleetPeers
from iluvatar_pxe.assets.peers_first import TIMING, PeersFirst
from iluvatar_pxe.assets.placing import Done, Placing, Unpacker
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.catalogue.download import Check, Digest, Download, FirstUse
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import AssetError


def download_of(name: str, *urls: str, check: Check | None = None, **fields: Any) -> Download:
    values = {"version": "v1", "wanted_by": ("layers/arda.yaml",)} | fields
    return Download(name=name, urls=urls, check=check or FirstUse(), **values)


@dataclass
class Pinned:
    """Pins, which a test may know before."""

    sums: dict[str, str] = field(default_factory=dict)
    is_away: bool = False
    """Nothing can be committed, so the next process knows nothing of it."""

    def check(self, name: str, sha256: str) -> None:
        if self.sums.get(name, sha256) != sha256:
            raise AssetError(f"{name}: another checksum is pinned")

    def keeps(self, name: str, sha256: str) -> bool:
        return not self.is_away and self.sums.get(name) == sha256

    async def pin(self, name: str, sha256: str, size: int) -> None:
        del size
        self.sums.setdefault(name, sha256)
        self.check(name, sha256)

    def remember(self, name: str, sha256: str, size: int) -> None:
        del size
        self.sums.setdefault(name, sha256)


class Wanted:
    """What the applied commit wants, as the test says, and with what is pinned."""

    def __init__(self, pins: Pinned) -> None:
        self.changed = Changed()
        self.unresolved: dict[str, Progress] = {}
        """Entries whose version is not chosen yet."""
        self._pins = pins
        self._said: tuple[Download, ...] = ()
        self._known: tuple[tuple[Download, ...], dict[str, str]] = (), {}
        self._downloads: tuple[Download, ...] = ()

    @property
    def downloads(self) -> tuple[Download, ...]:
        if self._known != (self._said, self._pins.sums):
            self._known = self._said, dict(self._pins.sums)
            self._downloads = tuple(map(self._pinned, self._said))
        return self._downloads

    def set(self, *downloads: Download) -> None:
        self._said = downloads
        self.changed.tell()

    def _pinned(self, one: Download) -> Download:
        pin = self._pins.sums.get(one.name) if isinstance(one.check, FirstUse) else None
        return replace(one, check=Digest("sha256", pin, first_use=True)) if pin else one


def no_unpacker(download: Download, file: Path, assets: Path, report: Done) -> None:
    del download, file, assets, report
    raise AssertionError("nothing is unpacked here")


class Bench:
    """One fetcher, its directory and what it goes by."""

    def __init__(
        self,
        directory: Path,
        unpack: Unpacker = no_unpacker,
        *,
        fetch: bool = True,
        stall: float = 30.0,
        settle: float = 0.05,
        peer_timing: Timing = TIMING,
    ) -> None:
        """``stall``: seconds after which a publisher that sends nothing is given up; ``settle`` is the fetcher's."""
        self.peers: list[str] = []
        """The places of other daemons."""
        self.assets = directory / "assets"
        self.assets.mkdir(exist_ok=True)
        self.store = AssetStore(self.assets)
        self.index = Index(self.assets)
        self.pins = Pinned()
        self.wants = Wanted(self.pins)
        self.originals = Originals(self.index, lambda: bool(self.peers))
        self.placing = Placing(self.store, self.index, unpack, self.originals)
        downloader = Downloader(timing=Timing(usual=Pauses(0.01, 0.02, 3), stall=stall))
        self.means = Means(
            get=PeersFirst(
                FleetPeers(lambda: self.peers, 8080),
                self.index,
                partial(download, downloader=downloader),
                downloader,
                peer_timing,
            ),
            placing=self.placing,
            pins=self.pins,
            turns=Turns(4),
        )
        self.fetcher = Fetcher(
            self.store,
            self.index,
            self.wants,
            self.means,
            signals=[self.wants.changed],
            fetch=fetch,
            settle=settle,
        )
        self.offered = Offered(self.store, self.index, self.originals, self.fetcher)
        self.commands = AssetCommands(
            self.fetcher, self.store, self.index, self.placing, self.pins, lambda: self.wants.unresolved
        )

    def progress(self, name: str) -> Progress:
        return self.fetcher.progress[name]

    async def reach(self, name: str, state: State) -> Progress:
        """Wait until a download is in a state."""
        await until(lambda: name in self.fetcher.progress and self.progress(name).state is state)
        return self.progress(name)

    async def want(self, *downloads: Download) -> None:
        """Let a commit want these, and wait until the fetcher follows it."""
        self.wants.set(*downloads)
        await until(
            lambda: (
                {name: one.download for name, one in self.fetcher.wanted.items()}
                == {one.name: one for one in self.wants.downloads}
            )
        )

    async def get(self, *downloads: Download) -> None:
        """Let a commit want these, and fetch them."""
        await self.want(*downloads)
        self.commands.fetch([one.name for one in downloads])
        for one in downloads:
            await self.reach(one.name, State.READY)

    def content(self, name: str) -> bytes:
        return (self.assets / name).read_bytes()


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """Let the fetcher run."""
    await bench.store.refresh()
    await bench.index.load()
    task = asyncio.create_task(bench.fetcher.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


def damage(path: Path) -> None:
    """Change a bit, as a bad disk does: size and time stay."""
    before, damaged = path.stat(), bytearray(path.read_bytes())
    damaged[-1] ^= 1
    copy = path.with_name(".damaged")
    copy.write_bytes(damaged)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.replace(path)
