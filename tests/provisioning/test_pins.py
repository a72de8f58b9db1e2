"""Pins: of the fleet by commits, several in one, or of this host; what contradicts them is refused."""

import asyncio
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import fleet_of
from support.following import central_in, daemon
from support.full_disk import no_file_larger_than
from support.one_thread import OneThread, begin, cancel
from support.repositories import git
from support.waiting import until

from iluvatar_pxe.catalogue.lock import AssetsLock, Pin
from iluvatar_pxe.errors import AssetError, RepositoryError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.source import LOCK_FILE
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.pins import OWN_LOCK, OwnPins, Pins

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def central(tmp_path: Path) -> Path:
    return central_in(tmp_path, {"fleet.yaml": ""})


def committed(central: Path) -> AssetsLock:
    """Return what is pinned in the repository."""
    lock = git(central, "show", f"main:{LOCK_FILE}")
    return parse_fleet({"fleet.yaml": "", LOCK_FILE: lock}).lock


def commits(central: Path) -> int:
    return int(git(central, "rev-list", "--count", "main"))


async def test_pins_that_come_meanwhile_go_together(tmp_path: Path, central: Path) -> None:
    async with daemon(tmp_path / "one", central) as one:
        await asyncio.gather(*(one.pins.pin(name, ONE, 1) for name in ("a", "b", "c")))
        assert one.pins.lock.files.keys() == {"a", "b", "c"}
    assert committed(central).files == dict.fromkeys(("a", "b", "c"), Pin(sha256=ONE, size=1))
    assert commits(central) == 3, "the fleet, the first pin, and those that came meanwhile"


async def test_a_checksum_that_contradicts_the_pin_is_refused(tmp_path: Path, central: Path) -> None:
    async with daemon(tmp_path / "one", central) as one:
        await one.pins.pin("a", ONE, 1)
        with pytest.raises(AssetError, match=f"a: has sha256 {TWO}, but {ONE} is pinned; if the publisher"):
            await one.pins.pin("a", TWO, 1)
    assert commits(central) == 2


async def test_another_daemon_that_pins_first_wins(tmp_path: Path, central: Path) -> None:
    async with daemon(tmp_path / "one", central) as one, daemon(tmp_path / "two", central) as two:
        await one.pins.pin("a", ONE, 1)
        assert two.pins.lock.files == {}, "it has not looked yet"
        with pytest.raises(AssetError, match="is pinned"):
            await two.pins.pin("a", TWO, 1)
        assert two.pins.lock == committed(central)
    assert committed(central).files["a"].sha256 == ONE


async def test_a_repository_that_is_away_keeps_no_file_from_being_served(
    tmp_path: Path, central: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iluvatar_pxe.provisioning.pins.RETRY_SECONDS", 0.01)
    async with daemon(tmp_path / "one", central) as one:
        shutil.move(central, tmp_path / "away")
        with capture_logs() as logs:
            for name in ("a", "c"):
                await one.pins.pin(name, ONE, 1)
            assert one.pins.lock.files.keys() == {"a", "c"}, "they count already"
            running = asyncio.create_task(one.pins.run())
            one.pins.remember("b", TWO, 2)
            shutil.move(tmp_path / "away", central)
            await until(lambda: commits(central) > 1 and committed(central).files.keys() == {"a", "b", "c"})
            running.cancel()
            await asyncio.wait([running])
    assert [line["event"] for line in logs].count("assets.unpinned") == 1


async def test_this_hosts_own_pins_are_kept(tmp_path: Path) -> None:
    applied = Applied()
    await Pins(OwnPins(applied, tmp_path)).pin("a", ONE, 1)
    await Pins(OwnPins(applied, tmp_path)).choose({"talos": "v1.13.9"})
    lock = OwnPins(applied, tmp_path).lock
    assert (lock.files["a"].sha256, lock.resolved("talos", "stable")) == (ONE, "v1.13.9")


async def test_what_cannot_be_written_is_not_kept_in_memory_either(tmp_path: Path) -> None:
    own = OwnPins(Applied(), tmp_path)
    await own.add({"a": Pin(sha256=ONE, size=1)}, {})
    before = (tmp_path / OWN_LOCK).read_bytes()
    with no_file_larger_than(len(before)), pytest.raises(RepositoryError, match=r"File too large; make it"):
        await own.add({"b": Pin(sha256=TWO, size=2)}, {"talos": "v1.13.9"})
    assert own.lock == OwnPins(Applied(), tmp_path).lock == AssetsLock(files={"a": Pin(sha256=ONE, size=1)})
    assert (tmp_path / OWN_LOCK).read_bytes() == before


async def test_what_is_written_is_kept_in_memory_also_where_who_adds_it_is_cancelled(tmp_path: Path) -> None:
    own, thread = OwnPins(Applied(), tmp_path), OneThread()
    with thread.busy():
        adding = await begin(own.add({"a": Pin(sha256=ONE, size=1)}, {}))
        adding.cancel()
        await asyncio.sleep(0)
    await cancel(adding)
    assert own.lock == OwnPins(Applied(), tmp_path).lock == AssetsLock(files={"a": Pin(sha256=ONE, size=1)})


async def test_what_the_fleet_pins_counts_before_this_hosts_own(tmp_path: Path) -> None:
    await Pins(OwnPins(Applied(), tmp_path)).pin("a", ONE, 1)
    lock = f"files: {{a: {{sha256: '{TWO}', size: 2}}}}\n"
    fleet = fleet_of(**{"assets.lock_yaml": lock})
    assert OwnPins(Applied(fleet), tmp_path).lock.files["a"].sha256 == TWO


async def test_damaged_pins_are_moved_aside(tmp_path: Path) -> None:
    (tmp_path / OWN_LOCK).write_text('{"files": {"a": ')
    with capture_logs() as logs:
        assert OwnPins(Applied(), tmp_path).lock == AssetsLock()
    assert [line["event"] for line in logs] == ["assets.unpinned"]
    assert (tmp_path / f"{OWN_LOCK}.damaged-1").exists()
