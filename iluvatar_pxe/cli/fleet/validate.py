"""``iluvatar-pxe fleet validate``: what is wrong with the declared state."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.assets.factory import registry_of
from iluvatar_pxe.assets.names import check_names
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notification_checks import secrets_in_clear
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.gitops.prepare import repository_of
from iluvatar_pxe.gitops.reading import fleet_at, fleet_in_force
from iluvatar_pxe.printable import printable
from iluvatar_pxe.settings.model import Settings


def validate(
    directory: Annotated[
        Path | None,
        typer.Argument(help="Directory of the fleet. Default: the newest state of [fleet] source."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Validate a fleet's files; lists every error with file and line, and then exits 1.

    The names of Talos' extensions are checked at Image Factory, if that can be reached.
    """
    try:
        place, declared = (str(directory), read_fleet(directory)) if directory else _newest(config)
        warnings = _check_names(declared, directory)
    except FleetError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    for line in secrets_in_clear(declared):
        typer.echo(f"warning: {f'{printable(place)}/' if directory else ''}{line}", err=True)
    for line in warnings:
        typer.echo(f"warning: {line}", err=True)
    typer.echo(f"{printable(place)}: valid: {_summary(declared)}")
    for line in _installers(declared):
        typer.echo(line)


def _check_names(fleet: Fleet, directory: Path | None) -> tuple[str, ...]:
    """Return what Image Factory warns of; raises FleetError for names that it does not have."""
    names = check_names(fleet, waits=partial(typer.echo, err=True))
    if names.faults:
        raise FleetError([f"{directory}/{line}" if directory else line for line in names.faults])
    return names.warnings


def _newest(config: Path | None) -> tuple[str, Fleet]:
    settings = settings_of_daemon(config)
    return settings.fleet_place, asyncio.run(_newest_of(settings))


async def _newest_of(settings: Settings) -> Fleet:
    repository = repository_of(settings)
    if repository and repository.path.exists():
        return await fleet_at(repository, repository.ref)
    return await fleet_in_force(settings)


def _summary(fleet: Fleet) -> str:
    layers = f"layers {' and '.join(fleet.layers)}" if fleet.layers else "no layers"
    return f"{_count(fleet.listed, 'machine')}, {_count(fleet.settings.rules, 'rule')}, {layers}"


def _installers(fleet: Fleet) -> Iterator[str]:
    """Yield for each layer of kind talos the image that a machine configuration must name to install the same."""
    registry = registry_of(fleet)
    for name in fleet.layers if registry else ():
        if (layer := fleet.talos(name)) and layer.talos.is_chosen:
            talos = layer.talos
            yield f"{name}: installer image {registry}/metal-installer/{talos.schematic}:{talos.version}"


def _count(things: tuple[object, ...], what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"
