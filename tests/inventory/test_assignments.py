"""Machines that wait for their names at the same time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from inventory.samples import rows, sighting, url_of
from support.fleets import fleet_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine

FLEET = fleet_of()
ANY = PlaceRequest(layer="arda", rule="rule 1 of fleet.yaml")
TAKEN = PlaceRequest(layer="arda", rule="machines/gandalf.yaml", name="gandalf")


@pytest.fixture
async def inventory(tmp_path: Path) -> AsyncIterator[Inventory]:
    opened = Inventory(url_of(tmp_path / "inventory.db"))
    await opened.open()
    yield opened
    await opened.close()


def seen(inventory: Inventory, count: int) -> list[Machine]:
    return [
        inventory.observe(sighting(f"52:54:00:00:00:{number:02x}"), Stage.DISCOVER) for number in range(count)
    ]


async def test_one_that_is_refused_does_not_undo_the_others(inventory: Inventory, tmp_path: Path) -> None:
    holder, *others = seen(inventory, 9)
    await inventory.assign(holder.id, TAKEN, FLEET)
    places = [TAKEN if number == 4 else ANY for number in range(8)]
    outcomes = await asyncio.gather(
        *(inventory.assign(one.id, place, FLEET) for one, place in zip(others, places, strict=True)),
        return_exceptions=True,
    )
    refused = [number for number, one in enumerate(outcomes) if isinstance(one, InventoryError)]
    assert refused == [4]
    assert rows(tmp_path / "inventory.db", "SELECT count(*) FROM assignments") == [(8,)]


async def test_one_that_is_forgotten_while_it_waits_does_not_hold_up_the_others(inventory: Inventory) -> None:
    gone, *others = seen(inventory, 4)
    with closing(sqlite3.connect(inventory._store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(inventory.assign(one.id, ANY, FLEET)) for one in (others[0], gone)]
        await asyncio.sleep(0)
        waiting += [asyncio.ensure_future(inventory.assign(one.id, ANY, FLEET)) for one in others[1:]]
        await asyncio.sleep(0)
        inventory._memory.remove(gone.id)
        other.execute("ROLLBACK")
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(one, InventoryError) for one in outcomes] == [False, True, False, False]


async def test_where_the_database_does_not_answer_every_one_is_told(inventory: Inventory) -> None:
    machines = seen(inventory, 3)
    with closing(sqlite3.connect(inventory._store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        outcomes = await asyncio.gather(
            *(inventory.assign(one.id, ANY, FLEET) for one in machines), return_exceptions=True
        )
    assert all(isinstance(one, InventoryError) for one in outcomes)
    named = await asyncio.gather(*(inventory.assign(one.id, ANY, FLEET) for one in machines))
    assert sorted(one.title for one in named) == ["arda-01", "arda-02", "arda-03"]
