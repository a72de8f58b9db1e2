"""The database's tables: made by migrations, described by tables.py, refused when from the future.

``UPDATE_GOLDEN=1`` writes ``migrations/schema.sql``, of which a new database is made.
"""

import logging
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from inventory.samples import rows, url_of
from sqlalchemy import create_engine

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database.alembic_upgrade import run_revisions
from iluvatar_pxe.inventory.database.engine import file_url, make_engine
from iluvatar_pxe.inventory.database.migrate import SCHEMA, schema_of
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.database.tables import metadata
from iluvatar_pxe.resources import data_directory


def migrated(file: Path) -> Path:
    store = Store(url_of(file))
    store.open()
    store.close()
    return file


def test_an_empty_file_gets_tables_and_views(file: Path) -> None:
    names = rows(migrated(file), "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    assert {name for kind, name in names if kind == "view"} == {
        "machine_overview",
        "boot_timeline",
        "fleet_history",
    }
    assert {name for kind, name in names if kind == "table"} == {*metadata.tables, "alembic_version"}


def test_migrations_and_models_agree(file: Path) -> None:
    engine = create_engine(url_of(migrated(file)))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_what_a_new_database_is_made_of_is_what_all_revisions_come_to(file: Path) -> None:
    engine = make_engine(file_url(url_of(file)))
    run_revisions(engine)
    with engine.connect() as connection:
        schema = schema_of(connection)
    engine.dispose()
    golden = data_directory("migrations") / SCHEMA
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(schema, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == schema


def test_opening_again_changes_nothing(file: Path) -> None:
    before = rows(migrated(file), "SELECT * FROM sqlite_master"), rows(file, "SELECT * FROM local_server")
    after = rows(migrated(file), "SELECT * FROM sqlite_master"), rows(file, "SELECT * FROM local_server")
    assert after == before


def test_a_database_of_a_newer_program_is_refused_and_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(migrated(file))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0042'")
        connection.commit()
    store = Store(url_of(file))
    with pytest.raises(InventoryError) as caught:
        store.open()
    store.close()
    assert str(caught.value) == (
        f"{file}: written by a newer iluvatar-pxe (revision 0042); "
        "install that version, or set database.url to another file"
    )
    assert rows(file, "SELECT version_num FROM alembic_version") == [("0042",)]


def test_a_migration_that_fails_half_way_leaves_nothing_behind(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE boot_events (of TEXT, another TEXT, program TEXT)")
    store = Store(url_of(file))
    with pytest.raises(InventoryError, match="boot_events already exists"):
        store.open()
    store.close()
    assert rows(file, "SELECT name FROM sqlite_master") == [("boot_events",)]


def test_logging_stays_as_it_was_set_up(file: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("iluvatar_pxe").disabled)
    migrated(file)
    assert (root.level, list(root.handlers), logging.getLogger("iluvatar_pxe").disabled) == before


def test_several_threads_may_migrate_at_once(tmp_path: Path) -> None:
    """Alembic keeps its state in globals; several daemons live in one process in tests."""
    files = [tmp_path / f"{number}.db" for number in range(8)] * 2
    failed: list[InventoryError] = []

    def migrate(file: Path) -> None:
        try:
            migrated(file)
        except InventoryError as error:
            failed.append(error)

    threads = [threading.Thread(target=migrate, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [len(rows(file, "SELECT id FROM local_server")) for file in files] == [1] * 16
