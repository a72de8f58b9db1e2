"""``iluvatar-pxe db``: the inventory's database as a file."""

from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.admin.database import Restore, SetAside, Upgrade
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.options import ConfigOption, YesOption, make_sure, settings_for
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.inventory.database import files
from iluvatar_pxe.inventory.database.store import Store

File = Annotated[Path, typer.Argument(metavar="FILE", help="A copy of the database.")]

_HEALTHY = "the database is healthy; its machines and names are kept, and only the boots on record stay in the old file"
_DOUBTFUL = (
    "what a running daemon knows is kept, and every name that can be read in the old file; "
    "names are lost only where that cannot be read and no daemon knows them; all boots on record stay in it"
)

app = typer.Typer(no_args_is_help=True, help="Look after the inventory's database.")


@app.command()
def upgrade(*, config: ConfigOption = None) -> None:
    """Bring the tables up to date; the daemon does so at its start."""
    say([change(settings_for(config), Upgrade)["message"]])


@app.command()
def backup(file: File, *, config: ConfigOption = None) -> None:
    """Write a copy, also while the daemon runs."""
    files.backup(
        Store(settings_for(config).database_url).path, file
    )  # the daemon may write only its own directory
    say([f"{file} is a copy of the database"])


@app.command()
def restore(file: File, *, config: ConfigOption = None) -> None:
    """Put a copy in the place of the database."""
    say([change(settings_for(config), Restore, file=file.absolute())["message"]])


@app.command()
def set_aside(*, yes: YesOption = False, config: ConfigOption = None) -> None:
    """Move a damaged database away and begin with an empty one."""
    settings = settings_for(config)
    kept = _HEALTHY if files.is_healthy(Store(settings.database_url).path) else _DOUBTFUL
    make_sure(f"Begin with an empty database? ({kept})", yes=yes)
    say([change(settings, SetAside)["message"], kept])
