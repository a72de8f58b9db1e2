"""A fetcher that wants three files, of which the tests' publisher has two."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.fetching import Bench, download_of, running
from support.publisher import Publisher, publisher
from support.wanted import pinned

from iluvatar_pxe.catalogue.download import Download

KERNEL, INITRD, PI = "talos/3765/v1.13.9/kernel-amd64", "talos/3765/v1.13.9/initramfs-amd64.xz", "raspi/a.img"


@dataclass
class ThreeFiles:
    bench: Bench
    publisher: Publisher
    downloads: dict[str, Download] = field(default_factory=dict)
    """Which the commit in force wants."""

    def of(self, name: str, content: bytes | None, **how: Any) -> Download:
        """Return a download whose checksum is pinned, and offer it so; None: the publisher does not have it."""
        path = f"/{name}"
        if content is None:
            return download_of(name, self.publisher.url(path))
        return download_of(name, self.publisher.offer(path, content, **how), check=pinned(content))

    async def want(self, *downloads: Download) -> None:
        """Let the next commit want these in place of those of the same names."""
        self.downloads |= {one.name: one for one in downloads}
        await self.bench.want(*self.downloads.values())


@asynccontextmanager
async def three_files(
    directory: Path, *, fetch: bool = False, stall: float = 30.0
) -> AsyncIterator[ThreeFiles]:
    """Only what is asked for is fetched, unless ``fetch``; files are below ``directory``."""
    with publisher(directory) as shop:
        async with running(Bench(directory, fetch=fetch, stall=stall)) as bench:
            made = ThreeFiles(bench, shop)
            await made.want(made.of(KERNEL, b"kernel"), made.of(INITRD, b"initrd"), made.of(PI, None))
            yield made
