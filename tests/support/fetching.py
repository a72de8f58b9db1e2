"""A fetcher of a small directory, for tests: what it wants is said by the test."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.pins import OwnPins, Pins
from iluvatar_pxe.values import replace


def download_of(name: str, *urls: str, check: Check | None = None, **fields: Any) -> Download:
    values = {"version": "v1", "wanted_by": ("layers/arda.yaml",)} | fields
    return Download(name=name, urls=urls, check=check or FirstUse(), **values)


class Wanted:
    """What the applied commit wants, as the test says, with what is pinned: a catalogue takes no address of plain HTTP."""

    def __init__(self, lock: Callable[[], AssetsLock]) -> None:
        self.changed = Changed()
        self._lock = lock
        self._said: tuple[Download, ...] = ()
        self._seen: tuple[tuple[Download, ...], AssetsLock] | None = None
        self._downloads: tuple[Download, ...] = ()

    @property
    def downloads(self) -> tuple[Download, ...]:
        if self._seen != (self._said, self._lock()):
            self._seen = self._said, self._lock()
            self._downloads = tuple(map(self._with_pin, self._said))
        return self._downloads

    def set(self, *downloads: Download) -> None:
        self._said = downloads
        self.changed.tell()

    def _with_pin(self, one: Download) -> Download:
        pin = self._lock().files.get(one.name)
        if pin is None:
            return one
        check = Digest("sha256", pin.sha256, first_use=isinstance(one.check, FirstUse))
        return replace(one, check=check, size=pin.size)


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
        self.state = directory / "state"
        self.state.mkdir(exist_ok=True)
        self.keeper = OwnPins(Applied(), self.state)
        self.pins = Pins(self.keeper)
        self.wants = Wanted(lambda: self.pins.lock)
        self.unresolved: dict[str, Progress] = {}
        """Entries whose version is not chosen yet."""
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
            signals=[self.wants.changed, self.pins.changed],
            fetch=fetch,
            settle=settle,
        )
        self.offered = Offered(self.store, self.index, self.originals, self.fetcher)
        self.commands = AssetCommands(
            self.fetcher, self.store, self.index, self.placing, self.pins, lambda: self.unresolved
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

    @property
    def pinned(self) -> dict[str, str]:
        """The checksums that the next process will go by, too."""
        return {name: pin.sha256 for name, pin in OwnPins(Applied(), self.state).lock.files.items()}

    def content(self, name: str) -> bytes:
        return (self.assets / name).read_bytes()


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """Let the fetcher run, and pins be kept that could not be kept before."""
    await bench.store.refresh()
    await bench.index.load()
    task = asyncio.create_task(_run(bench))
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def _run(bench: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(bench.pins.run())
        group.create_task(bench.fetcher.run())


def damage(path: Path) -> None:
    """Change a bit, as a bad disk does: size and time stay."""
    before, damaged = path.stat(), bytearray(path.read_bytes())
    damaged[-1] ^= 1
    copy = path.with_name(".damaged")
    copy.write_bytes(damaged)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.replace(path)
