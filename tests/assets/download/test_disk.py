"""A disk without room is told of with what is missing, before or in the middle, and what came is removed."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.downloading import Site, sha256
from support.publisher import Publisher
from support.rights import without_root
from support.waiting import PATIENCE

from iluvatar_pxe.assets.download.space import RESERVE, missing
from iluvatar_pxe.catalogue.download import FirstUse
from iluvatar_pxe.errors import DiskError

MIB = 1 << 20
TERABYTE = 10**12
CONTENT = os.urandom(MIB)


def test_room_is_left_for_the_database() -> None:
    assert missing(100, 100 + RESERVE) == 0
    assert missing(100, 99 + RESERVE) == 1
    assert missing(0, 0) == RESERVE


async def test_a_file_that_does_not_fit_is_refused_before_its_first_byte(site: Site, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(8 * TERABYTE)
    urls = (site.shop.offer("/huge", huge, rate=1000.0), site.shop.offer("/mirror", CONTENT))
    with pytest.raises(
        DiskError, match=r"assets lacks [0-9]{12,13} bytes of free space; make room"
    ) as raised:
        await site.get(*urls, check=FirstUse())
    assert str(raised.value).isprintable()
    assert site.names == set()
    assert len(site.shop.asked) == 1  # a mirror's file is no smaller


async def test_a_directory_that_cannot_be_written_is_told_of(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    site.place.chmod(0o755)
    with without_root(), pytest.raises(DiskError, match="Permission denied; make the directory writable"):
        await site.get(url, check=sha256(CONTENT))


FULL = """
import asyncio, sys
from pathlib import Path
from iluvatar_pxe.assets.download.client import Downloader
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.catalogue.download import Download, FirstUse
from iluvatar_pxe.errors import DiskError

url, place, how = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def fill(progress):
    if how == "others" and progress.done and not (place / "others").exists():
        with (place / "others").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError:
                pass

wanted = Download(name="big", version="1", urls=(url,), check=FirstUse())
try:
    asyncio.run(download(wanted, place, fill, Downloader()))
except DiskError as error:
    print(error)
print(*sorted(path.name for path in place.iterdir()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a small file system")
@pytest.mark.parametrize(
    ("how", "words", "left"),
    [("others", "is full; make room", "others"), ("alone", "lacks ", "")],
)
async def test_a_disk_that_fills_in_the_middle(
    shop: Publisher, tmp_path: Path, how: str, words: str, left: str
) -> None:
    """The publisher does not say how long the file is, on a file system of 90 MiB."""
    place, script = tmp_path / "small", tmp_path / "full.py"
    place.mkdir()
    script.write_text(FULL)
    url = shop.offer("/big", CONTENT * 200, sized=False)
    mount = 'mount -t tmpfs -o size=90m none "$3" && exec "$0" "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount]
    command += [sys.executable, str(script), url, str(place), how]
    ended = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    told, names = ended.stdout.splitlines()
    assert words in told, ended.stderr
    assert told.startswith("big: ")
    assert names == left
