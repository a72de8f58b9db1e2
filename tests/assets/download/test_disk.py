"""A disk without room is told of with what is missing, before or in the middle, and what came is removed."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from support.downloading import Site, sha256
from support.one_thread import begin, cancel, descriptors_of
from support.partition_tables import BOOT, mbr
from support.publisher import Publisher
from support.rights import without_root
from support.waiting import PATIENCE

from iluvatar_pxe.assets.download.disk import Disk
from iluvatar_pxe.assets.download.part import part_of
from iluvatar_pxe.assets.download.ranges import Kept
from iluvatar_pxe.assets.space import RESERVE, Room, missing, most_unsized
from iluvatar_pxe.catalogue.download import FirstUse
from iluvatar_pxe.errors import DiskError

MIB = 1 << 20
TERABYTE = 10**12
CONTENT = os.urandom(MIB)


def test_room_is_left_for_the_database() -> None:
    assert missing(100, 100 + RESERVE) == 0
    assert missing(100, 99 + RESERVE) == 1
    assert missing(0, 0) == RESERVE


def test_a_file_of_unknown_size_takes_half_of_the_room_at_most() -> None:
    assert most_unsized(RESERVE + 1000) == 500
    assert most_unsized(RESERVE - 1) == 0
    assert most_unsized(TERABYTE) == 2 << 30


def test_what_is_promised_to_one_download_is_not_there_for_the_others() -> None:
    room = Room()
    room.promise("a", 100)
    room.promise("b", 10)
    room.promise("a", 90)
    assert [room.for_others(who) for who in "abc"] == [10, 90, 100]
    room.release("a")
    room.release("c")
    assert [room.for_others(who) for who in "abc"] == [10, 0, 10]


def test_what_a_file_of_unknown_size_may_still_take_is_given_to_one_that_needs_all_of_it() -> None:
    room = Room()
    room.promise("sized", 100)
    room.promise("a", 20, is_sized=False)
    room.promise("b", 20, is_sized=False)
    assert room.wrote("a", 15) == 5
    assert room.yield_to_sized(26) == 0  # nobody loses anything for one that does not fit anyway
    assert room.for_others("") == 125
    assert room.yield_to_sized(24) == 24
    assert room.for_others("") == 101
    assert room.promised("sized") == 100
    assert room.wrote("a", 15) + room.wrote("b", 15) == 1 - 30
    assert room.for_others("sized") == 0


async def test_nothing_stays_open_of_a_download_that_is_cancelled_while_its_thread_is_busy(
    tmp_path: Path,
) -> None:
    """The thread writes what came; meanwhile, the attempt ends, and then nobody wants the file any more."""
    disk, lets_go = Disk("kernel", tmp_path / "kernel", [], Room()), Event()
    await disk.do(disk.part.begin, "http://a.example/kernel", '"1"', 4)
    await disk.do(disk.part.append, b"four")
    writing = await begin(disk.do(lets_go.wait, PATIENCE))
    resting = await begin(disk.rest())
    for task in (writing, resting, resting):
        task.cancel()
    await asyncio.sleep(0)
    assert not resting.done(), "the next attempt would write to the same file"
    lets_go.set()
    await cancel(resting)
    assert descriptors_of(part_of(disk.path)) == 0
    assert await disk.do(disk.part.resume, "http://a.example/kernel") == Kept(4, '"1"', 4)
    await disk.rest()
    disk.close()


async def test_a_file_that_does_not_fit_is_refused_before_its_first_byte(site: Site, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(8 * TERABYTE)
    urls = (site.shop.offer("/huge", huge, rate=1000.0), site.shop.offer("/mirror", CONTENT))
    with pytest.raises(
        DiskError, match=r"no space left in \S+/assets: [0-9]{4}\.[0-9] GB more are needed; make room"
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
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.catalogue.download import Download, FirstUse, Unpack
from iluvatar_pxe.errors import DownloadError

place, how, urls = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
others, downloader, turns = place / "others", Downloader(), Turns(4)

def fill(progress):
    if progress.done:
        comes.set()
    count = {"full": 90, "nearly": 15}.get(how, 0)
    if count and progress.done and not others.exists():
        with others.open("wb", buffering=0) as file:
            try:
                for _ in range(count):
                    file.write(bytes(1 << 20))
            except OSError:
                pass

async def get(url):
    name = url.rpartition("/")[2]
    unpack = Unpack.PI_IMAGE if name.endswith(".img") else Unpack.NONE
    wanted = Download(name=name, version="1", urls=(url,), check=FirstUse(), unpack=unpack, folder="image")
    try:
        await download(wanted, place, fill, turns.turn(), downloader=downloader)
    except DownloadError as error:
        print(error)

async def main():
    global comes
    comes = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for url in urls:
            comes.clear()
            group.create_task(get(url)).add_done_callback(lambda _: comes.set())
            await comes.wait()

asyncio.run(main())
print(*sorted(path.name for path in place.iterdir()))
if how == "nearly":
    others.unlink()
    how = "empty"
    asyncio.run(main())
    print(*sorted(path.name for path in place.iterdir()))
"""


async def on_a_small_disk(tmp_path: Path, how: str, *urls: str) -> list[str]:
    """Download on a file system of 90 MiB, each file once the one before comes, and return what was printed."""
    place, script = tmp_path / "small", tmp_path / "full.py"
    place.mkdir()
    script.write_text(FULL)
    mount = 'mount -t tmpfs -o size=90m none "$2" && exec "$0" "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, sys.executable, str(script), str(place), how, *urls]
    ended = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return [line for line in ended.stdout.splitlines() if "[" not in line]


NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a small file system")


@NEEDS_ROOT
@pytest.mark.parametrize(
    ("how", "words", "left"),
    [
        (
            "full",
            r"big: no space left in \S+/small: at least [0-9.]+ MB more are needed; make room",
            "others",
        ),
        ("empty", "big: .* sent more than 1[0-9]{7} bytes, and does not tell how many there are; use", ""),
    ],
)
async def test_a_file_of_unknown_size_on_a_disk_that_fills(
    shop: Publisher, tmp_path: Path, how: str, words: str, left: str
) -> None:
    told, names = await on_a_small_disk(tmp_path, how, shop.offer("/big", CONTENT * 200, sized=False))
    assert re.match(words, told)
    assert names == left


@NEEDS_ROOT
async def test_what_came_stays_while_others_fill_the_disk(shop: Publisher, tmp_path: Path) -> None:
    told, before, after = await on_a_small_disk(tmp_path, "nearly", shop.offer("/big", CONTENT * 24))
    assert re.match(r"big: no space left in \S+/small: [0-9.]+ MB more are needed; make room", told)
    assert (before, after) == ("big.part big.part.json others", "big")
    assert [asked.start > 0 for asked in shop.asked] == [False, True]


@NEEDS_ROOT
async def test_an_image_comes_only_if_there_is_room_for_what_it_is_unpacked_to(
    shop: Publisher, tmp_path: Path
) -> None:
    """Its partition table tells that; whoever sends it may lie, so the beginning is not kept.

    Beside the small one as it comes, there is more room than for the large one's download by several pieces.
    """
    small, large = (mbr(BOOT, (0, 0x83, 4096, sectors)) + CONTENT * 8 for sectors in (3000, 200_000))
    urls = (shop.offer("/small.img", small), shop.offer("/large.img", large))
    told, names = await on_a_small_disk(tmp_path, "empty", *urls)
    assert re.match(
        r"large\.img: no space left in \S+/small: [0-9.]+ MB more are needed, also to unpack it; make room",
        told,
    )
    assert names == "small.img"


@NEEDS_ROOT
@pytest.mark.parametrize(
    ("order", "most"), [(("good", "big"), 6 * MIB), (("big", "good"), 12 * MIB)], ids=["after", "before"]
)
async def test_a_file_without_an_end_does_not_harm_the_others(
    shop: Publisher, tmp_path: Path, order: tuple[str, str], most: int
) -> None:
    """Of 26 MiB it would be given 13 if it came first, but what it has not taken of them is given to the other one."""
    offers = {
        "good": shop.offer("/good", CONTENT * 14, rate=28e6),
        "big": shop.offer("/big", CONTENT * 200, sized=False, rate=6e6),
    }
    told, names = await on_a_small_disk(tmp_path, "empty", *map(offers.__getitem__, order))
    sent = re.match(r"big: \S+ sent more than ([0-9]+) bytes, and does not tell how many there are", told)
    assert sent
    assert most - MIB < int(sent[1]) <= most
    assert names == "good"
