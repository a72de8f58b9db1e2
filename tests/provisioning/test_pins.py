"""Pins: of the fleet by commits, several in one, or of this host; what contradicts them is refused."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import fleet_of
from support.waiting import until

from iluvatar_pxe.catalogue.lock import AssetsLock, Pin
from iluvatar_pxe.errors import AssetError, RepositoryError
from iluvatar_pxe.gitops.changes.pinning import with_pins
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.pins import OWN_LOCK, OwnPins, Pins

ONE, TWO = "1" * 64, "2" * 64


@dataclass
class Origin:
    """A keeper that can be out of reach, and that counts its commits."""

    lock: AssetsLock = field(default_factory=AssetsLock)
    commits: list[list[str]] = field(default_factory=list)
    is_away: bool = False
    delay: asyncio.Event = field(default_factory=asyncio.Event)

    async def add(self, files: Mapping[str, Pin], stable: Mapping[str, str]) -> None:
        if self.is_away:
            raise RepositoryError("origin: cannot be reached")
        await self.delay.wait()
        self.commits.append(sorted([*files, *stable]))
        self.lock = with_pins(self.lock, files, stable)


async def test_pins_that_come_meanwhile_go_together() -> None:
    origin = Origin()
    pins = Pins(origin)
    waiting = [asyncio.create_task(pins.pin(name, ONE, 1)) for name in ("a", "b", "c")]
    await asyncio.sleep(0)
    origin.delay.set()
    await asyncio.gather(*waiting)
    assert sum(map(len, origin.commits)) == 3
    assert len(origin.commits) <= 2
    assert pins.lock.files.keys() == {"a", "b", "c"}


async def test_a_checksum_that_contradicts_the_pin_is_refused() -> None:
    origin = Origin(lock=AssetsLock(files={"a": Pin(sha256=ONE, size=1)}))
    with pytest.raises(AssetError, match=f"a: has sha256 {TWO}, but {ONE} is pinned; if the publisher"):
        await Pins(origin).pin("a", TWO, 1)
    assert origin.commits == []


async def test_another_daemon_that_pins_first_wins() -> None:
    origin = Origin()
    pinning = asyncio.create_task(Pins(origin).pin("a", TWO, 1))
    await asyncio.sleep(0)
    origin.lock = AssetsLock(files={"a": Pin(sha256=ONE, size=1)})
    origin.delay.set()
    with pytest.raises(AssetError, match="is pinned"):
        await pinning
    assert origin.lock.files["a"].sha256 == ONE


async def test_a_repository_that_is_away_keeps_no_file_from_being_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("iluvatar_pxe.provisioning.pins.RETRY_SECONDS", 0.01)
    origin = Origin(is_away=True)
    origin.delay.set()
    pins = Pins(origin)
    with capture_logs() as logs:
        await pins.pin("a", ONE, 1)
        assert pins.lock.files["a"].sha256 == ONE, "it counts already"
        running = asyncio.create_task(pins.run())
        await asyncio.sleep(0.05)
        origin.is_away = False
        pins.remember("b", TWO, 2)
        await until(lambda: origin.lock.files.keys() == {"a", "b"})
        running.cancel()
        await asyncio.wait([running])
    assert [line["event"] for line in logs] == ["assets.unpinned"]


async def test_this_hosts_own_pins_are_kept(tmp_path: Path) -> None:
    applied = Applied()
    await Pins(OwnPins(applied, tmp_path)).pin("a", ONE, 1)
    await Pins(OwnPins(applied, tmp_path)).choose({"talos": "v1.13.9"})
    lock = OwnPins(applied, tmp_path).lock
    assert (lock.files["a"].sha256, lock.resolved("talos", "stable")) == (ONE, "v1.13.9")


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
