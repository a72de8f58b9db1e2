"""Downloads from the tests' publisher, with pauses of milliseconds."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.publisher import Publisher
from support.waiting import PATIENCE

from iluvatar_pxe.assets.download.client import Downloader, Timing
from iluvatar_pxe.assets.download.download import Got, download
from iluvatar_pxe.assets.download.patience import Pauses
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.catalogue.download import Check, Digest, Download
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.values import replace

FAST = Timing(
    connect=PATIENCE,
    first_byte=PATIENCE,
    built=0.2,
    stall=PATIENCE,
    usual=Pauses(0.01, 0.05, 4),
    one_of_several=Pauses(0.01, 0.05, 2, resumes=False),
    building=Pauses(0.01, 0.05, 40),
)
STALLS = replace(FAST, stall=0.5)
NAME = "talos/kernel-amd64"


def sha256(content: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(content).hexdigest())


def wanted(*urls: str, check: Check | bytes, **how: Any) -> Download:
    """Return a download, checked by the checksum of ``check`` if that is the content."""
    checked = sha256(check) if isinstance(check, bytes) else check
    return Download(name=NAME, version="1", urls=urls, check=checked, **how)


@dataclass
class Site:
    """A directory that files are downloaded into, and what was reported."""

    place: Path
    shop: Publisher
    downloader: Downloader = field(default_factory=lambda: Downloader(timing=FAST))
    reports: list[Progress] = field(default_factory=list)

    async def get(self, *urls: str, check: Check | bytes, **how: Any) -> Got:
        return await download(
            wanted(*urls, check=check, **how),
            self.place,
            self.reports.append,
            Turns(1).turn(),
            downloader=self.downloader,
        )

    @property
    def path(self) -> Path:
        return self.place / "kernel-amd64"

    @property
    def part(self) -> Path:
        return self.place / "kernel-amd64.part"

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.place.iterdir()}

    @property
    def troubles(self) -> list[str]:
        """What was reported before each pause."""
        return [one.trouble for one in self.reports if one.state is State.WAITING]
