"""Alembic, which runs revisions."""

import threading

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from iluvatar_pxe.inventory.database.engine import writing
from iluvatar_pxe.resources import data_directory

_ALEMBIC = threading.Lock()
"""Alembic's ``op`` and ``context`` are one per process, whichever thread they are used in."""


def run_revisions(engine: Engine) -> None:
    """Run the revisions that a database lacks, in one transaction."""
    config = alembic_config()
    with _ALEMBIC, writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def alembic_config() -> Config:
    """Return the configuration that has Alembic find our revisions."""
    config = Config()
    config.set_main_option("script_location", str(data_directory("migrations")).replace("%", "%%"))
    return config
