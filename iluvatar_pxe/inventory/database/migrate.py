"""Bringing a database to this program's tables, by Alembic, in one transaction."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database.engine import writing
from iluvatar_pxe.resources import data_directory

_ALEMBIC = threading.Lock()
"""Alembic's ``op`` and ``context`` are one per process, whichever thread they are used in."""


def is_inventory(connection: Connection) -> bool:
    """Say whether the database was made by this program, in any version."""
    return bool(MigrationContext.configure(connection).get_current_heads())


def is_current(connection: Connection, path: Path) -> bool:
    """Say whether the database has this program's newest revision.

    Raises InventoryError when it has a revision that this program does not know.
    """
    scripts = ScriptDirectory.from_config(_config())
    known = {script.revision for script in scripts.walk_revisions()}
    present = MigrationContext.configure(connection).get_current_heads()
    for revision in set(present) - known:
        raise InventoryError(
            f"{path}: written by a newer iluvatar-pxe (revision {revision}); "
            "install that version, or set database.url to another file"
        )
    return set(present) == set(scripts.get_heads())


def upgrade(engine: Engine) -> None:
    """Run the revisions that the database lacks, in one transaction."""
    config = _config()
    with _ALEMBIC, writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(data_directory("migrations")).replace("%", "%%"))
    return config
