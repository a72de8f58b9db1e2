"""``iluvatar-pxe db``: the inventory's database as a file."""

from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.control import change
from iluvatar_pxe.cli.options import ConfigOption, YesOption, make_sure, settings_for
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.servers.requests import Backup, Restore, SetAside, Upgrade

File = Annotated[Path, typer.Argument(metavar="FILE", help="A copy of the database.")]

_LOST = (
    "What only the database knows is lost: the names and roles of machines that no file lists, and all boots."
)

app = typer.Typer(no_args_is_help=True, help="Look after the inventory's database.")


@app.command()
def upgrade(*, config: ConfigOption = None) -> None:
    """Bring the tables up to date; the daemon does so at its start."""
    say([change(settings_for(config), Upgrade)["message"]])


@app.command()
def backup(file: File, *, config: ConfigOption = None) -> None:
    """Write a copy, also while the daemon runs."""
    say([change(settings_for(config), Backup, file=file.absolute())["message"]])


@app.command()
def restore(file: File, *, config: ConfigOption = None) -> None:
    """Put a copy in the place of the database."""
    say([change(settings_for(config), Restore, file=file.absolute())["message"]])


@app.command()
def set_aside(*, yes: YesOption = False, config: ConfigOption = None) -> None:
    """Move a damaged database away and begin with an empty one."""
    make_sure(f"Begin with an empty database? {_LOST}", yes=yes)
    say([change(settings_for(config), SetAside)["message"], _LOST])
