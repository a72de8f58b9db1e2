"""Bringing a database to this program's tables: which revisions it has, and which it lacks."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, Engine, column, insert, inspect, select, table

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database import tables
from iluvatar_pxe.inventory.database.engine import writing
from iluvatar_pxe.resources import data_directory

_PRESENT = table("alembic_version", column("version_num"))
"""Alembic's own table."""
SCHEMA = "schema.sql"
"""What all revisions come to, beside them: a new database needs no Alembic, which takes ten times as long."""
_END = ";\n"


def is_inventory(connection: Connection) -> bool:
    """Say whether the database was made by this program, in any version."""
    return bool(_present(connection))


def is_current(connection: Connection, path: Path) -> bool:
    """Say whether the database has this program's newest revision.

    Raises InventoryError when it has a revision that this program does not know.
    """
    known, present = revisions(), _present(connection)
    for revision in present - set(known):
        raise InventoryError(
            f"{path}: written by a newer iluvatar-pxe (revision {revision}); "
            "install that version, or set database.url to another file"
        )
    return present == {known[-1]}


def upgrade(engine: Engine) -> None:
    """Run the revisions that the database lacks, in one transaction; an empty one gets what they come to at once."""
    with writing(engine).begin() as connection:
        if not inspect(connection).get_table_names():
            _create(connection)
            return
    from iluvatar_pxe.inventory.database.alembic_upgrade import run_revisions  # noqa: PLC0415 - rare, and Alembic is big

    run_revisions(engine)


def revisions() -> list[str]:
    """Return this program's revisions in their order, which the names of their files begin with."""
    return sorted(
        path.name.partition("_")[0] for path in (data_directory("migrations") / "versions").glob("[0-9]*.py")
    )


def schema_of(connection: Connection) -> str:
    """Return the statements that make a database's tables, views and indexes, in their order, each with a ``;``."""
    found = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return "".join(f"{statement.strip()}{_END}" for statement in found.scalars())


def _create(connection: Connection) -> None:
    for statement in (data_directory("migrations") / SCHEMA).read_text(encoding="utf-8").split(_END)[:-1]:
        connection.exec_driver_sql(statement)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    connection.execute(insert(tables.local_server), {"id": str(uuid4()), "created_at": now})
    connection.execute(insert(_PRESENT), {"version_num": revisions()[-1]})


def _present(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(_PRESENT.name):
        return set()
    return set(connection.scalars(select(_PRESENT.c.version_num)))
