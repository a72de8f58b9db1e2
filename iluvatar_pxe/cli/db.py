"""``iluvatar-pxe db``: the inventory's database as a file."""

from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.database import Restore, SetAside, Upgrade
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption, YesOption, make_sure
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.inventory.database import files
from iluvatar_pxe.inventory.database.store import Store

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup file.")]

_HEALTHY = "the database is healthy; machines and names are kept, the boot history stays in the old file"
_DOUBTFUL = (
    "a running daemon's machines are kept, and every name that can be read from the old file; "
    "names that cannot be read and that no daemon knows are lost; the boot history stays in the old file"
)

app = new_group(help="Maintain the inventory database.")


@app.command()
def upgrade(*, config: ConfigOption = None) -> None:
    """Migrate the tables to this version; the daemon does so at startup."""
    say([change(settings_of_daemon(config), Upgrade)["message"]])


@app.command()
def backup(file: File, *, config: ConfigOption = None) -> None:
    """Write a backup; works while the daemon runs."""
    files.backup(
        Store(settings_of_daemon(config).database_url).path, file
    )  # the daemon may write only its own directory
    say([f"database backed up to {file}"])


@app.command()
def restore(file: File, *, config: ConfigOption = None) -> None:
    """Replace the database with a backup."""
    say([change(settings_of_daemon(config), Restore, file=file.absolute())["message"]])


@app.command()
def set_aside(*, yes: YesOption = False, config: ConfigOption = None) -> None:
    """Move a damaged database aside and start with an empty one."""
    settings = settings_of_daemon(config)
    kept = _HEALTHY if files.is_healthy(Store(settings.database_url).path) else _DOUBTFUL
    make_sure(f"Start with an empty database? ({kept})", yes=yes)
    say([change(settings, SetAside)["message"], kept])
