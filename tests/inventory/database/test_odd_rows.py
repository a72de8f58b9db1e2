"""Rows that somebody changed by hand: named, and never the end of the daemon."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting

SIGHTING = Sighting(mac="52:54:00:77:00:01", firmware=Firmware.UEFI_PXE)


@pytest.mark.parametrize(
    "change",
    [
        "first_seen = x'00'",
        "generation = 'abc'",
        "reached = 'mars'",
        "uuid = 'x'",
        "inspection = '{}'",
        "clean_up = '{}'",
    ],
)
async def test_an_odd_row_is_named(tmp_path: Path, change: str) -> None:
    path = tmp_path / "inventory.db"
    inventory = Inventory(f"sqlite:///{path}")
    await inventory.open()
    machine = inventory.observe(SIGHTING, Stage.DISCOVER)
    await inventory.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE machines SET {change}")
    store = Store(f"sqlite:///{path}")
    store.open()
    with pytest.raises(InventoryError, match=rf"machines, id {machine.id}: .*; correct that row"):
        store.load()
    store.close()
    again = Inventory(f"sqlite:///{path}")
    await again.open()
    assert again.health is not None
    assert str(machine.id) in again.health
    assert again.observe(SIGHTING, Stage.DISCOVER).generation == 1
    await again.close()


async def test_any_layer_is_known_again_but_what_is_no_name_is_not(tmp_path: Path) -> None:
    path = tmp_path / "inventory.db"
    inventory = Inventory(f"sqlite:///{path}")
    await inventory.open()
    machine = inventory.observe(SIGHTING, Stage.DISCOVER)
    await inventory.assign(machine.id, PlaceRequest(layer="arda", rule="rule 1"), fleet_of())
    await inventory.close()
    store = Store(f"sqlite:///{path}")
    for layer, is_read in (("removed-since", True), ("no layer", False)):
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE assignments SET layer = ?", [layer])
        store.open()
        if is_read:
            (known,) = store.load().snapshot.by_id.values()
            assert known.assignment is not None
            assert known.assignment.layer == layer
        else:
            with pytest.raises(InventoryError, match="'no layer' is not a layer's name; correct that row"):
                store.load()
        store.close()
