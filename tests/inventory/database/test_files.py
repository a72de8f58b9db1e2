"""The database as a file: copied, replaced, moved away; by a daemon that runs and without one."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from inventory.samples import NOW, batch, known, machine, rows, running, sighting, until, url_of
from support.fleets import fleet_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database import files
from iluvatar_pxe.inventory.database.read_only import read_only
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.values import replace

ONE, TWO = "52:54:00:00:00:01", "52:54:00:00:00:02"


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


def spoil(file: Path) -> None:
    file.with_name("inventory.db-wal").unlink()
    file.write_bytes(PICTURES)


def holds_pictures(file: Path) -> bool:
    return file.read_bytes() == PICTURES


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def replaced(database: Path, source: Path) -> Path:
    """Restore a backup, and return where the old file is."""
    done = files.restore(database, source)
    assert done is not None
    assert done.kept is not None
    return done.kept


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
    with pytest.raises(InventoryError, match=f"{copy}: already exists and is not overwritten"):
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
        place = PlaceRequest(layer="arda", rule="rule 1")
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
    assert kept.kept is not None
    assert kept.kept.name.endswith(".before-restore")
    assert kept.carried == ()
    assert set(known(kept.kept)) == {TWO}
    assert later.id not in inventory.snapshot.by_id


def test_a_backup_restored_without_a_daemon(file: Path, copy: Path) -> None:
    filled(file, 1)
    filled(copy, 2)
    kept = replaced(file, copy)
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
    kept = replaced(file, copy)
    assert (set(known(file)), set(known(kept))) == ({TWO}, {ONE})
    store.close()


def test_what_is_no_backup_is_refused(file: Path, copy: Path) -> None:
    filled(file, 1)
    assert "no such file" in refusal(file, copy)
    copy.write_bytes(PICTURES)
    said = refusal(file, copy)
    assert "it is damaged or not a database" in said
    assert said.endswith("; name another backup")
    copy.unlink()
    with closing(sqlite3.connect(copy)) as other:
        other.execute("CREATE TABLE pictures (name TEXT)")
    assert "it is not an inventory database" in refusal(file, copy)
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
        kept = (await inventory.set_aside()).kept
        assert inventory.health is None
        assert not inventory.window.is_open
    assert kept is not None
    assert holds_pictures(kept)
    assert kept.name.endswith(".damaged")
    assert known(file)[ONE].id == seen.id
    window = read_only(url_of(file)).window
    assert window is not None
    assert window.remaining == 0


async def test_names_in_memory_outlive_a_file_that_is_moved_away(inventory: Inventory, file: Path) -> None:
    seen = inventory.observe(sighting(ONE), Stage.DISCOVER)
    place = PlaceRequest(layer="arda", rule="rule 1")
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
    with pytest.raises(InventoryError, match="no inventory yet"):
        read_only(url_of(file))
    assert names(file.parent) == set()


ARDA = PlaceRequest(layer="arda", rule="rule 1")
NAMES = "SELECT name, role, machine_id FROM assignments ORDER BY name"


async def named(inventory: Inventory, *macs: str) -> list[str]:
    """Have machines join, and return their names."""
    seen = [inventory.observe(sighting(mac), Stage.DISCOVER) for mac in macs]
    return [(await inventory.assign(one.id, ARDA, fleet_of())).title for one in seen]


async def test_names_given_since_the_backup_are_not_given_again(
    inventory: Inventory, file: Path, copy: Path
) -> None:
    three, four = "52:54:00:00:00:03", "52:54:00:00:00:04"
    waiting = inventory.observe(sighting(TWO), Stage.DISCOVER)
    assert await named(inventory, ONE) == ["arda-01"]
    await inventory.backup(copy)
    assert await named(inventory, TWO, three) == ["arda-02", "arda-03"]
    done = await inventory.restore(copy)
    assert done is not None
    assert str(done) == f"{done.kept}; names carried over: arda-02, arda-03"
    back = inventory.snapshot.by_id[waiting.id]
    assert (back.title, back.phase) == ("arda-02", Phase.ASSIGNED)
    assert [(name, role) for name, role, owner in rows(file, NAMES) if owner is None] == [
        ("arda-03", "worker")
    ]
    assert await named(inventory, four) == ["arda-04"]


async def test_names_in_memory_outlive_the_restoring_of_a_backup(
    inventory: Inventory, file: Path, copy: Path
) -> None:
    await inventory.backup(copy)
    assert await named(inventory, ONE) == ["arda-01"]
    spoil(file)
    done = await inventory.restore(copy)
    assert done is not None
    assert done.carried == ("arda-01",)
    assert await named(inventory, TWO) == ["arda-02"]


@pytest.mark.parametrize("loss", ["machines", "nothing"])
async def test_names_of_machines_that_are_no_more_outlive_a_file_that_is_moved_away(
    file: Path, loss: str
) -> None:
    inventory = Inventory(url_of(file))
    await inventory.open()
    assert await named(inventory, ONE, TWO) == ["arda-01", "arda-02"]
    await inventory.forget(inventory.snapshot.owners[ONE], "anna")
    await inventory.close()
    if loss == "machines":
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("UPDATE machines SET first_seen = 'once'")
    inventory = Inventory(url_of(file))
    await inventory.open()
    done = await inventory.set_aside()
    assert done.carried == (("arda-01", "arda-02") if loss == "machines" else ("arda-01",))
    assert await named(inventory, "52:54:00:00:00:03") == ["arda-03"]
    assert dict(read_only(url_of(file)).snapshot.by_id) == dict(inventory.snapshot.by_id)
    await inventory.close()


def test_a_name_that_is_not_understood_is_left_behind(file: Path, copy: Path) -> None:
    given = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)
    filled(copy, 2)
    store = Store(url_of(file))
    store.open()
    others = replace(given, name="arda-02")
    store.write(batch([machine(1, assignment=given), machine(3, assignment=others)]))
    store.close()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE assignments SET role = 'king' WHERE name = 'arda-02'")
    assert not files.is_healthy(file)
    replaced(file, copy)
    assert rows(file, NAMES) == [("arda-01", "worker", None)]


def test_a_machine_keeps_the_name_that_its_backup_tells(file: Path, copy: Path) -> None:
    for path, name in ((copy, "arda-01"), (file, "arda-05")):
        store = Store(url_of(path))
        store.open()
        given = Assignment(name=name, layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)
        store.write(batch([machine(1, assignment=given)]))
        store.close()
    replaced(file, copy)
    assert rows(file, NAMES) == [("arda-01", "worker", str(UUID(int=1))), ("arda-05", "worker", None)]


def test_the_message_of_a_damaged_file_names_the_commands(damaged: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        Store(url_of(damaged)).open()
    remedy = "restore a backup: iluvatar-pxe db restore FILE, or start over: iluvatar-pxe db set-aside"
    assert str(caught.value).endswith(f"; {remedy}")


async def test_the_file_is_its_owner_s_alone(file: Path, copy: Path) -> None:
    def modes() -> Sequence[int]:
        return [stat.S_IMODE(one.stat().st_mode) for one in file.parent.glob("inventory.db*")]

    inventory = Inventory(url_of(file))
    await inventory.open()
    await named(inventory, ONE)
    assert modes() == [0o600] * 3, "and so are -wal and -shm"
    await inventory.backup(copy)
    await inventory.set_aside()
    await inventory.restore(copy)
    await named(inventory, TWO)
    assert set(modes()) == {0o600}
    await inventory.close()


def test_the_file_is_its_owner_s_alone_from_the_first_moment(file: Path) -> None:
    files.create(file)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"", 0o600)
    file.write_bytes(PICTURES)
    files.create(file)
    assert holds_pictures(file)
