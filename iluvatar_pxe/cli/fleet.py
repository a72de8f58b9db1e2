"""``iluvatar-pxe fleet``: the declared state."""

from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.options import ConfigOption, settings_for
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.yamlfile import printable
from iluvatar_pxe.gitops.directory import read_fleet

app = typer.Typer(no_args_is_help=True)


@app.callback()  # without it Typer makes the only command of a group the group itself
def fleet() -> None:
    """Look at the declared state."""


@app.command()
def validate(
    directory: Annotated[
        Path | None, typer.Argument(help="The fleet. Default: the one that the settings name.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Check a fleet's files; exits 1 after naming everything that is wrong, with file and line."""
    chosen = directory or settings_for(config).fleet_directory
    try:
        declared = read_fleet(chosen)
    except FleetError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{printable(str(chosen))}: valid: {_summary(declared)}")


def _summary(fleet: Fleet) -> str:
    layers = f"layers {' and '.join(fleet.layers)}" if fleet.layers else "no layers"
    return f"{_count(fleet.listed, 'machine')}, {_count(fleet.settings.rules, 'rule')}, {layers}"


def _count(things: tuple[object, ...], what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"
