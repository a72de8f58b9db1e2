"""Databases of every earlier revision, with data in them, brought to this one: nothing is lost."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from inventory.samples import known, rows, url_of
from sqlalchemy import create_engine

from iluvatar_pxe.inventory.database import migrate
from iluvatar_pxe.inventory.database.alembic_upgrade import alembic_config
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.states import Attempts, Directive, Phase

AT = "2026-11-22T18:30:00.123Z"
SERVER = "5f0c9a0e-0000-4000-8000-000000000001"


def id_of(number: int) -> str:
    return f"00000000-0000-0000-0000-0000000000{number:02x}"


BOOTS_OF_0001: Mapping[int, tuple[str, ...]] = {
    1: ("config", "nbp"),
    2: ("kernel", "discover"),
    3: ("script",),
    4: ("first-script", "boot-server"),
    5: ("initramfs",),
}
"""The stages that the boots of each machine reached, the last boot's last."""


def fill_0001(database: sqlite3.Connection) -> None:
    database.execute("UPDATE local_server SET id = ?", (SERVER,))
    for number, reached in BOOTS_OF_0001.items():
        id_, generation = id_of(number), len(reached)
        database.execute(
            "INSERT INTO machines VALUES (?, ?, ?, 'uefi-pxe', 'x86_64', ?, 'PC01', 'LENOVO', 'M93p', '10.0.0.7', ?, ?, ?)",
            (id_, generation, reached[-1], id_of(0xAA), AT, AT, SERVER),
        )
        for position, mac in enumerate((f"52:54:00:00:00:0{number}", f"52:54:00:00:01:0{number}")):
            database.execute("INSERT INTO interfaces VALUES (?, ?, ?, ?)", (mac, id_, position, SERVER))
        for boot, stage in enumerate(reached, start=1):
            database.execute(
                "INSERT INTO boots VALUES (?, ?, ?, ?, ?, ?)", (id_, boot, AT, AT, stage, SERVER)
            )
            database.execute(
                "INSERT INTO boot_events (at, machine_id, generation, stage, detail, bytes, milliseconds, server_id)"
                " VALUES (?, ?, ?, ?, 'ipxe.efi', 1024, 12.5, ?)",
                (AT, id_, boot, stage, SERVER),
            )


def fill_0002(database: sqlite3.Connection) -> None:
    """One that was brought there from the first revision, and has given a name since."""
    database.execute(
        "INSERT INTO assignments VALUES ('arda-01', 'arda', 'worker', ?, 'rule 1', ?, ?)",
        (id_of(1), AT, SERVER),
    )


def fill_0003(database: sqlite3.Connection) -> None:
    """One that has applied a commit since."""
    database.execute(
        "INSERT INTO commits VALUES (1, ?, ?, 'applied', 'Anna', ?, 'A worker', '', 0, ?)",
        ("c" * 40, AT, AT, SERVER),
    )


def fill_0004(database: sqlite3.Connection) -> None:
    """One that has met a NIC since of which it is not clear whose it is."""
    database.execute("UPDATE machines SET unsure = '52:54:00:00:02:03' WHERE id = ?", (id_of(3),))


def fill_0005(database: sqlite3.Connection) -> None:
    """One that has read a machine's hardware since."""
    read = f'{{"at": "{AT}", "boot": 1}}'
    database.execute("UPDATE machines SET inspection = ? WHERE id = ?", (read, id_of(1)))


def fill_0006(database: sqlite3.Connection) -> None:
    """One to which a machine has reported since."""
    database.execute("UPDATE machines SET reported_boot = 2 WHERE id = ?", (id_of(2),))


def fill_0007(database: sqlite3.Connection) -> None:
    """One that has a Node left to delete since."""
    left = '{"layer": "arda", "name": "arda-01", "boot": 1}'
    database.execute("UPDATE machines SET clean_up = ? WHERE id = ?", (left, id_of(4)))


def fill_0008(database: sqlite3.Connection) -> None:
    """One that has swapped its ticket in its second boot since."""
    database.execute("UPDATE machines SET seed_boot = 2, seed_spent = 1 WHERE id = ?", (id_of(3),))


FILLED: Mapping[str, Callable[[sqlite3.Connection], None]] = {
    "0001": fill_0001,
    "0002": fill_0002,
    "0003": fill_0003,
    "0004": fill_0004,
    "0005": fill_0005,
    "0006": fill_0006,
    "0007": fill_0007,
    "0008": fill_0008,
}
"""By revision, in their order, how daemons of that time left their database."""


def of_revision(revision: str, file: Path) -> None:
    """Have a database that every daemon until then has worked with."""
    file.write_bytes(_content_of(revision))


@cache
def _content_of(revision: str) -> bytes:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "inventory.db"
        _make(revision, file)
        return file.read_bytes()


def _make(revision: str, file: Path) -> None:
    for earlier, fill in FILLED.items():
        if earlier > revision:
            break
        engine = create_engine(url_of(file))
        config = alembic_config()
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, earlier)
        engine.dispose()
        with closing(sqlite3.connect(file)) as database, database:
            fill(database)


def content(file: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in names}


def upgraded(file: Path) -> None:
    store = Store(url_of(file))
    store.open()
    store.close()


def test_every_earlier_revision_is_among_them() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert {*FILLED, scripts.get_current_head()} == {one.revision for one in scripts.walk_revisions()}


def test_their_order_is_that_of_their_files() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert migrate.revisions() == [one.revision for one in scripts.walk_revisions()][::-1]


@pytest.mark.parametrize("revision", FILLED)
def test_nothing_is_lost(file: Path, revision: str) -> None:
    of_revision(revision, file)
    before = content(file)
    upgraded(file)
    after = content(file)
    del before["alembic_version"]
    for table, old in ((table, old) for table, old in before.items() if old):
        columns = old[0].keys()
        assert [{name: row[name] for name in columns} for row in after[table]] == old
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    assert rows(file, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("revision", FILLED)
def test_what_is_new_has_sensible_values(file: Path, revision: str) -> None:
    of_revision(revision, file)
    upgraded(file)
    found = known(file)
    assert {mac[-1]: (one.furthest, one.phase) for mac, one in found.items()} == {
        "1": (Stage.CONFIG, Phase.INSTALLING),
        "2": (Stage.KERNEL, Phase.BOOTING),
        "3": (Stage.SCRIPT, Phase.BOOTING),
        "4": (Stage.FIRST_SCRIPT, Phase.DISCOVERED),
        "5": (Stage.INITRAMFS, Phase.BOOTING),
    }
    for one in found.values():
        assert (one.directive, one.attempts) == (Directive(), Attempts())
        assert one.assignment is None or (revision > "0001" and one.assignment.name == "arda-01")
        assert (one.board, one.conflict, one.report.node) == ("", "", "")
        assert one.seed == Seed() or (revision > "0007" and one.seed == Seed(2, is_spent=True))
        assert not one.clean_up or (revision > "0006" and one.furthest is Stage.FIRST_SCRIPT)
        assert one.report == Report() or (revision > "0005" and one.report == Report(boot=2))
        assert not one.inspection or (revision > "0004" and one.furthest is Stage.CONFIG)
        assert not one.unsure or (revision > "0003" and one.reached is Stage.SCRIPT)


@pytest.mark.parametrize("revision", FILLED)
async def test_a_daemon_goes_on_with_it(file: Path, revision: str) -> None:
    of_revision(revision, file)
    inventory = Inventory(url_of(file))
    await inventory.open()
    assert inventory.health is None
    assert inventory.window.opened_by == "first start"
    assert len(inventory.snapshot.by_id) == len(BOOTS_OF_0001)
    await inventory.close()
    assert rows(file, "SELECT boots FROM machine_overview ORDER BY id") == [(2,), (2,), (1,), (2,), (1,)]
    assert rows(file, "SELECT count(*) FROM boot_timeline") == [(8,)]
