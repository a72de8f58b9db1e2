import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from iluvatar_pxe.host.directory_watch import DirectoryWatch, remote_devices

LONG = 60.0
SETTING = "/proc/sys/user/max_inotify_instances"
LIMITED = """
from pathlib import Path
from iluvatar_pxe.host.directory_watch import DirectoryWatch
try:
    DirectoryWatch().follow([Path("/")])
except OSError as error:
    print(error.strerror)
"""


def rename(place: Path) -> None:
    (place / "new").rename(place / "file")


def write(place: Path) -> None:
    (place / "new").write_text("other")


def remove(place: Path) -> None:
    (place / "new").unlink()


def create(place: Path) -> None:
    (place / "folder").mkdir()


def replace(place: Path) -> None:
    place.rename(place.with_name("away"))
    place.mkdir()


@pytest.mark.parametrize("act", [rename, write, remove, create, replace])
async def test_whatever_happens_is_told(tmp_path: Path, act: Callable[[Path], None]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "new").write_text("")
    watch = DirectoryWatch()
    watch.follow([place])
    waiting = asyncio.create_task(watch.news(LONG))
    await asyncio.sleep(0)
    act(place)
    await asyncio.wait_for(waiting, LONG / 2)


async def test_what_happens_before_it_is_waited_for_is_told_once(tmp_path: Path) -> None:
    watch = DirectoryWatch()
    watch.follow([tmp_path])
    (tmp_path / "file").write_text("")
    await asyncio.wait_for(watch.news(LONG), LONG / 2)
    waiting = asyncio.create_task(watch.news(LONG))
    assert not (await asyncio.wait([waiting], timeout=0.1))[0]
    waiting.cancel()


async def test_what_is_not_followed_any_more_is_not_told(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    watch = DirectoryWatch()
    watch.follow([first])
    watch.follow([second, tmp_path / "missing"])
    await watch.news(LONG)  # the end of the first one's watch
    (first / "file").write_text("")
    waiting = asyncio.create_task(watch.news(LONG))
    assert not (await asyncio.wait([waiting], timeout=0.1))[0]
    (second / "file").write_text("")
    await asyncio.wait_for(waiting, LONG / 2)


def test_a_file_system_that_others_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for NFS: what this directory lies on counts as such."""
    device = frozenset({tmp_path.stat().st_dev})
    monkeypatch.setattr("iluvatar_pxe.host.directory_watch.remote_devices", lambda _: device)
    with pytest.raises(OSError, match="remote") as caught:
        DirectoryWatch().follow([tmp_path])
    assert caught.value.errno == errno.EREMOTE


def test_mounts_are_read_whatever_the_names_of_their_places_are() -> None:
    """The kernel writes out no more than blanks, tabs, ends of lines and backslashes: a stick's label may be anything."""
    line = "36 35 0:52 / /media/a\x0cb\x85c\rd rw - fuseblk /dev/sda1 rw"
    local = "37 35 8:1 / / rw - ext4 /dev/root rw"
    assert remote_devices(f"{local}\n{line}\n{local}\n") == {os.makedev(0, 52)}


@pytest.mark.skipif(os.geteuid() != 0, reason="sets a limit in a user namespace of its own")
def test_the_kernels_limit_is_named() -> None:
    script = f'echo 0 > {SETTING} && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", sys.executable, "-c", LIMITED]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert told.stdout == "fs.inotify.max_user_instances is reached\n"


def test_one_that_is_gone_leaves_no_descriptor(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        DirectoryWatch().follow([tmp_path])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
