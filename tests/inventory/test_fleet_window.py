"""The enrolment window as a commit of the fleet opens or closes it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest
from inventory.samples import Clock, running, until, url_of

from iluvatar_pxe.fleet.daemon_files import EnrolmentFile
from iluvatar_pxe.inventory import inventory as module
from iluvatar_pxe.inventory import kept_window
from iluvatar_pxe.inventory.inventory import Inventory

DEADLINE = 40
"""Seconds by which the wall clock may have gone on during a test."""


def stated(seconds: int, ago: float = 0) -> EnrolmentFile:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return EnrolmentFile(at=f"{at:%Y-%m-%dT%H:%M:%SZ}", seconds=seconds, by="anna on pi-1")


@pytest.mark.parametrize(
    ("stating", "most_age", "left"),
    [
        (lambda: None, inf, 86400),
        (lambda: stated(0), 1, 0),
        (lambda: stated(0, ago=1e6), inf, 0),
        (lambda: stated(1800), 0, 1800),
        (lambda: stated(1800, ago=900), inf, 900),
        (lambda: stated(1800, ago=-1e6), inf, 86400),
    ],
    ids=["nothing", "closed", "closed long ago", "opened", "opened before the start", "opened in the future"],
)
async def test_what_a_commit_says_of_the_window_holds_once_and_over_restarts(
    inventory: Inventory,
    file: Path,
    clock: Clock,
    stating: Callable[[], EnrolmentFile | None],
    most_age: float,
    left: float,
) -> None:
    said = stating()
    inventory.follow_window(said, most_age)
    assert inventory.window.remaining == pytest.approx(left, abs=DEADLINE)
    clock.now += 300
    inventory.follow_window(said, inf)
    assert inventory.window.remaining == pytest.approx(max(0, left - 300), abs=DEADLINE)
    await inventory.close()
    again = Inventory(url_of(file), clock)
    again.follow_window(said, inf)
    assert not again.window.is_open, "there is no database yet"
    await again.open()
    assert again.window.remaining == pytest.approx(max(0, left - 300), abs=DEADLINE)
    assert again.window.opened_by == inventory.window.opened_by
    await again.close()


async def test_what_was_committed_while_the_database_was_away_counts_when_it_is_back(
    inventory: Inventory, file: Path, clock: Clock
) -> None:
    await inventory.close()
    again = Inventory(url_of(file), clock)
    again.follow_window(stated(0), 1)
    await again.open()
    assert not again.window.is_open
    await again.close()


async def test_a_new_inventory_of_an_old_fleet_takes_the_fleet_s_window(inventory: Inventory) -> None:
    inventory.follow_window(stated(1800, ago=60), inf)
    inventory.follow_old_fleet()
    assert inventory.window.remaining == pytest.approx(1740, abs=DEADLINE)


@pytest.mark.parametrize("is_told_first", [True, False])
async def test_a_new_inventory_of_an_old_fleet_opens_no_window(
    file: Path, clock: Clock, *, is_told_first: bool
) -> None:
    inventory = Inventory(url_of(file), clock)
    if is_told_first:
        inventory.follow_old_fleet()
    await inventory.open()
    assert inventory.window.is_open is not is_told_first
    inventory.follow_old_fleet()
    assert not inventory.window.is_open
    await inventory.close()
    again = Inventory(url_of(file), clock)
    await again.open()
    assert not again.window.is_open
    await again.close()


async def test_an_old_fleet_closes_no_window_of_an_inventory_that_was_there(
    inventory: Inventory, file: Path, clock: Clock
) -> None:
    await inventory.close()
    again = Inventory(url_of(file), clock)
    await again.open()
    again.follow_old_fleet()
    assert again.window.remaining == pytest.approx(86400, abs=DEADLINE)
    await again.close()


async def test_a_commit_of_unknown_age_counts_as_soon_as_the_clock_is_set(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    with monkeypatch.context() as before:
        before.setattr(kept_window, "wall_clock", lambda: datetime(1970, 1, 1, tzinfo=UTC))
        inventory.follow_window(stated(1800), inf)
        assert inventory.window.opened_by == "first start"
    async with running(inventory):
        await until(lambda: inventory.window.opened_by.startswith("anna on pi-1 at 20"))
    assert inventory.window.remaining == pytest.approx(1800, abs=DEADLINE)
