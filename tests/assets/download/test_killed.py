"""A daemon that is killed during a download goes on where it was, and ends with the whole file, verified."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import download_once
from support.publisher import Publisher
from support.waiting import PATIENCE, wait_until

MIB = 1 << 20
CONTENT = os.urandom(24 * MIB)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RATE = 40.0 * MIB


@contextmanager
def downloading(url: str, place: Path, sha256: str = SHA256) -> Iterator[subprocess.Popen[str]]:
    """Run a process that downloads, and kill it at the end of the block if it still runs."""
    command = (sys.executable, download_once.__file__, url, str(place), sha256)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(url: str, place: Path) -> None:
    """Let a download end, and check the file."""
    with downloading(url, place) as process:
        assert process.wait(PATIENCE) == 0
    assert {path.name for path in place.iterdir()} == {"big"}
    assert (place / "big").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "moments", [3, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_kill_9_at_any_moment_of_a_download(tmp_path: Path, shop: Publisher, moments: int) -> None:
    url = shop.offer("/big", CONTENT, rate=RATE)
    longest = len(CONTENT) / RATE + 0.3
    for number in range(moments):
        place = tmp_path / str(number)
        place.mkdir()
        with downloading(url, place) as process:
            assert process.stdout
            assert process.stdout.readline()  # it has begun
            time.sleep(random.uniform(0.0, longest))
        if (place / "big").exists():
            assert (place / "big").read_bytes() == CONTENT
        finish(url, place)


def test_a_killed_download_goes_on_after_what_is_certainly_on_the_disk(
    tmp_path: Path, shop: Publisher
) -> None:
    url, place = shop.offer("/big", CONTENT, stall=20 * MIB, times=1), tmp_path / "place"
    place.mkdir()
    note = place / "big.part.json"
    with downloading(url, place):
        wait_until(note.exists, "a note of what is on the disk")
    noted = json.loads(note.read_text())["size"]
    assert not (place / "big").exists()
    finish(url, place)
    assert [asked.start for asked in shop.asked] == [0, noted]


@pytest.mark.parametrize("mebibytes", [128, pytest.param(2048, marks=pytest.mark.long)])
def test_a_download_takes_as_much_memory_however_large_it_is(
    tmp_path: Path, shop: Publisher, mebibytes: int
) -> None:
    large, digest = tmp_path / "large", hashlib.sha256()
    with large.open("wb") as file:
        file.write(os.urandom(MIB))
        file.truncate(mebibytes * MIB)
    with large.open("rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    place = tmp_path / "place"
    place.mkdir()
    with downloading(shop.offer("/large", large), place, digest.hexdigest()) as process:
        output, _ = process.communicate(timeout=PATIENCE * 10)
        assert process.returncode == 0
    assert (place / "big").stat().st_size == mebibytes * MIB
    before, after = map(int, output.split())
    assert after - before < 30 * MIB
