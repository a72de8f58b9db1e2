"""The database as a file: copied, replaced, moved away; by a daemon that runs and without one."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from inventory.samples import batch, known, machine, rows, running, sighting, until, url_of
from support.fleets import fleet_of

from iluvatar_pxe.boot.assign import Place
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory import files
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.reading import read_only
from iluvatar_pxe.inventory.store import Store
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.states import LayerName

ONE, TWO = "52:54:00:00:00:01", "52:54:00:00:00:02"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "inventory.db"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


@pytest.fixture
async def inventory(file: Path) -> AsyncIterator[Inventory]:
    opened = Inventory(url_of(file))
    await opened.open()
    yield opened
    await opened.close()


def filled(file: Path, *numbers: int) -> Path:
    store = Store(url_of(file))
    store.open()
    store.write(batch([machine(number) for number in numbers]))
    store.close()
    return file


PICTURES = b"holiday pictures" * 1000


def holds_pictures(file: Path) -> bool:
    return file.read_bytes() == PICTURES


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def refusal(database: Path, source: Path) -> str:
    with pytest.raises(InventoryError) as caught:
        files.restore(database, source)
    assert {name for name in names(database.parent) if source.name not in name} == {database.name}
    return str(caught.value)


async def test_a_backup_while_the_daemon_writes_is_whole(inventory: Inventory, copy: Path) -> None:
    async with running(inventory):
        seen = inventory.observe(sighting(ONE), Stage.DISCOVER)

        async def write_on() -> None:
            for number in range(500):
                inventory.observe(sighting(f"52:54:00:00:01:{number % 256:02x}"), Stage.DISCOVER)
                await asyncio.sleep(0)

        await asyncio.gather(write_on(), inventory.backup(copy))
    assert rows(copy, "PRAGMA integrity_check") == [("ok",)]
    assert rows(copy, "PRAGMA journal_mode") == [("delete",)]
    assert known(copy)[ONE].id == seen.id
    assert not [name for name in names(copy.parent) if name.startswith(".inventory-")]


def test_a_backup_is_its_owner_s_and_overwrites_nothing(file: Path, copy: Path) -> None:
    other = copy.with_name("other.db")
    files.backup(filled(file, 1), other)
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    copy.write_text("precious")
    with pytest.raises(InventoryError, match=f"{copy}: is there already, and is not overwritten"):
        files.backup(file, copy)
    assert copy.read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing(file: Path, copy: Path) -> None:
    file.write_bytes(PICTURES)
    with pytest.raises(InventoryError, match=f"{file}: it is damaged"):
        files.backup(file, copy)
    assert names(file.parent) == {file.name}
    with pytest.raises(InventoryError, match="does not exist"):
        files.backup(file.with_name("other.db"), copy)
    with pytest.raises(InventoryError, match=r"make .* a directory"):
        files.backup(file, copy.parent / "nowhere" / "copy.db")


async def test_a_backup_restored_by_the_daemon_is_in_force(
    inventory: Inventory, file: Path, copy: Path
) -> None:
    async with running(inventory):
        first = inventory.observe(sighting(ONE), Stage.SCRIPT)
        place = Place(layer=LayerName.ARDA, rule="rule 1")
        first = await inventory.assign(first.id, place, fleet_of())
        await inventory.backup(copy)
        later = inventory.observe(sighting(TWO), Stage.SCRIPT)
        await inventory.forget(first.id, "anna")
        kept = await inventory.restore(copy)
        assert dict(inventory.snapshot.by_id) == {first.id: first}
        assert inventory.health is None
        again = inventory.observe(sighting(ONE), Stage.DISCOVER)
        await until(lambda: known(file)[ONE].generation == 2)
    assert (again.id, again.title) == (first.id, "arda-01")
    assert kept is not None
    assert kept.name.endswith(".before-restore")
    assert set(known(kept)) == {TWO}
    assert later.id not in inventory.snapshot.by_id


def test_a_backup_restored_without_a_daemon(file: Path, copy: Path) -> None:
    filled(file, 1)
    filled(copy, 2)
    kept = files.restore(file, copy)
    assert kept is not None
    assert (set(known(file)), set(known(kept)), set(known(copy))) == ({TWO}, {ONE}, {TWO})


def test_a_backup_restored_where_nothing_is_yet(tmp_path: Path, copy: Path) -> None:
    filled(copy, 2)
    file = tmp_path / "new" / "inventory.db"
    assert files.restore(file, copy) is None
    assert set(known(file)) == {TWO}


def test_what_sqlite_keeps_beside_the_file_goes_with_it(file: Path, copy: Path) -> None:
    """A daemon that was killed leaves its latest writes in -wal; they belong to the old file, and only to that."""
    filled(copy, 2)
    store = Store(url_of(file))
    store.open()
    store.write(batch([machine(1)]))
    assert file.with_name("inventory.db-wal").exists()
    kept = files.restore(file, copy)
    assert kept is not None
    assert (set(known(file)), set(known(kept))) == ({TWO}, {ONE})
    store.close()


def test_what_is_no_backup_is_refused(file: Path, copy: Path) -> None:
    filled(file, 1)
    assert "there is no such file" in refusal(file, copy)
    copy.write_bytes(PICTURES)
    assert "it is damaged or not a database" in refusal(file, copy)
    copy.unlink()
    with closing(sqlite3.connect(copy)) as other:
        other.execute("CREATE TABLE pictures (name TEXT)")
    assert "it is a database, but no inventory" in refusal(file, copy)
    copy.unlink()
    with closing(sqlite3.connect(filled(copy, 2))) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '0042'")
    assert "written by a newer iluvatar-pxe (revision 0042)" in refusal(file, copy)
    assert set(known(file)) == {ONE}


def test_a_damaged_backup_is_refused(file: Path, copy: Path) -> None:
    filled(file, 1)
    filled(copy, *range(2, 200))
    with copy.open("r+b") as handle:
        handle.seek(-8192, os.SEEK_END)
        handle.write(b"\xff" * 4096)
    assert "damaged" in refusal(file, copy)


@pytest.fixture
def damaged(file: Path) -> Path:
    file.write_bytes(PICTURES)
    return file


async def test_a_damaged_file_is_moved_away_only_when_asked(damaged: Path) -> None:
    file = damaged
    inventory = Inventory(url_of(file))
    await inventory.open()
    async with running(inventory):
        seen = inventory.observe(sighting(ONE), Stage.DISCOVER)
        assert "damaged" in (inventory.health or "")
        kept = await inventory.set_aside()
        assert inventory.health is None
        assert not inventory.window.is_open
    assert holds_pictures(kept)
    assert kept.name.endswith(".damaged")
    assert known(file)[ONE].id == seen.id
    window = read_only(url_of(file)).window
    assert window is not None
    assert window.remaining == 0


async def test_names_in_memory_outlive_a_file_that_is_moved_away(inventory: Inventory, file: Path) -> None:
    seen = inventory.observe(sighting(ONE), Stage.DISCOVER)
    place = Place(layer=LayerName.ARDA, rule="rule 1")
    given = await inventory.assign(seen.id, place, fleet_of())
    await inventory.set_aside()
    assert known(file)[ONE] == given
    other = inventory.observe(sighting(TWO), Stage.DISCOVER)
    assert (await inventory.assign(other.id, place, fleet_of())).title == "arda-02"


def test_a_file_of_an_older_program_is_not_read(file: Path) -> None:
    with closing(sqlite3.connect(filled(file, 1))) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(
        InventoryError, match="written by an older iluvatar-pxe; first: iluvatar-pxe db upgrade"
    ):
        read_only(url_of(file))


def test_a_file_that_is_not_there_is_not_made(file: Path) -> None:
    with pytest.raises(InventoryError, match="there is no inventory yet"):
        read_only(url_of(file))
    assert names(file.parent) == set()
