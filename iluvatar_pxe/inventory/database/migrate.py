"""Bringing a database to this program's tables: which revisions it has, and which it lacks."""

from pathlib import Path

from sqlalchemy import Connection, Engine, column, inspect, select, table

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.resources import data_directory

_PRESENT = table("alembic_version", column("version_num"))
"""Alembic's own table."""


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
    """Run the revisions that the database lacks, in one transaction."""
    from iluvatar_pxe.inventory.database.alembic_upgrade import run_revisions  # noqa: PLC0415 - rare, and Alembic is big

    run_revisions(engine)


def revisions() -> list[str]:
    """Return this program's revisions in their order, which the names of their files begin with."""
    return sorted(
        path.name.partition("_")[0] for path in (data_directory("migrations") / "versions").glob("[0-9]*.py")
    )


def _present(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(_PRESENT.name):
        return set()
    return set(connection.scalars(select(_PRESENT.c.version_num)))
