"""A process of its own that downloads one file: URL PLACE SHA256. Says when it begins, and how much memory it took."""

import asyncio
import sys
from pathlib import Path

from iluvatar_pxe.assets.download.client import Downloader
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.catalogue.download import Digest, Download


def peak() -> int:
    """Return the most memory that this process has had, in bytes: getrusage(2) would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(url: str, place: str, sha256: str) -> None:
    wanted = Download(name="big", version="1", urls=(url,), check=Digest("sha256", sha256))
    say(peak())
    await download(wanted, Path(place), lambda _: None, Turns(1).turn(), downloader=Downloader())
    say(peak())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
