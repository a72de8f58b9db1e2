"""5,000 made-up MACs within a minute: memory and database stay bounded, and the recorder keeps up."""

from pathlib import Path

import pytest
from inventory.samples import rows, running, sighting, until, url_of

from iluvatar_pxe.inventory import memory
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage


def mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8:02x}:{number & 0xFF:02x}"


async def test_made_up_macs_are_bounded_in_memory_and_in_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_PASSING", 200)
    file = tmp_path / "inventory.db"
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory):
        mine = inventory.observe(sighting("52:54:00:00:00:01"), Stage.SCRIPT)
        for number in range(1000):
            inventory.observe(sighting(mac(number)), Stage.DISCOVER)
            if number % 100 == 0:
                await until(lambda: not inventory._pending)
        assert len(inventory.snapshot.by_id) == 201
        await until(lambda: not inventory._pending)
    assert mine.id in inventory.snapshot.by_id
    assert rows(file, "SELECT count(*) FROM machines") == [(201,)]
    assert rows(file, "SELECT count(*) FROM boot_events") == [(201,)]


def test_without_a_database_nothing_piles_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_PASSING", 100)
    inventory = Inventory(url_of(tmp_path / "inventory.db"))
    for number in range(2000):
        inventory.observe(sighting(mac(number)), Stage.DISCOVER)
    batch = inventory._pending.take()
    assert (len(batch.machines), len(batch.removals), len(batch.events)) == (100, 0, 100)
    assert len(inventory._memory._asked) == 100
