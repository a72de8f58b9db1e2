"""Copies of snapshots elsewhere: they settle, and are mended."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iluvatar_pxe.layers.etcd.snapshots import KEPT, name_of
from iluvatar_pxe.provisioning.snapshot_store import SnapshotStore


def day(number: int) -> str:
    return name_of(datetime(2026, 11, number, 3, tzinfo=UTC))


def put(place: Path, days: Iterable[int]) -> None:
    place.mkdir(parents=True)
    for one in days:
        (place / day(one)).write_text("whole")


def copied(directory: Path) -> dict[str, int]:
    """Copy once, and return what is there, by which write."""
    SnapshotStore(directory / "own").copy(["arda"], directory / "share", "pi")
    return {one.name: one.stat().st_ino for one in (directory / "share/pi/arda").iterdir()}


@pytest.mark.parametrize(
    ("own", "share"),
    [
        (range(1, 8), range(5, 12)),  # an older state directory is back
        (range(1, 8), ()),
        (range(1, 8), range(1, 8)),
        (range(8, 15), range(1, 8)),
        ([3], range(5, 20)),
    ],
)
def test_copies_settle_at_once(tmp_path: Path, own: Iterable[int], share: Iterable[int]) -> None:
    put(tmp_path / "own/arda", own)
    put(tmp_path / "share/pi/arda", share)
    first = copied(tmp_path)
    assert day(max(own)) in first
    assert len(first) == KEPT
    assert copied(tmp_path) == first


def test_a_copy_that_is_not_whole_is_mended_and_nothing_is_left_of_a_killed_one(tmp_path: Path) -> None:
    put(tmp_path / "own/arda", [1, 2])
    put(tmp_path / "share/pi/arda", [1, 2])
    place = tmp_path / "share/pi/arda"
    (place / day(2)).write_text("wh")
    (place / f".{day(1)}-abc").write_text("w")
    (place / "notes.txt").write_text("the owner's")
    assert sorted(copied(tmp_path)) == [day(1), day(2), "notes.txt"]
    assert (place / day(2)).read_text() == "whole"
