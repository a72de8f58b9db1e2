"""``iluvatar-pxe fleet diff``: what a commit would change, machine by machine."""

import asyncio
from typing import Annotated

import typer

from iluvatar_pxe.boot.preview.differences import differences
from iluvatar_pxe.boot.rules import options_of
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.changes.machine_file import machine_path, new_machine_file
from iluvatar_pxe.gitops.prepare import repository_of
from iluvatar_pxe.gitops.reading import fleet_at
from iluvatar_pxe.gitops.secrets.opening import with_opened
from iluvatar_pxe.layers.effects import effects_on_installed
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.settings.model import Settings


def diff(
    revision: Annotated[
        str | None,
        typer.Argument(
            metavar="[REV]",
            help="A commit or branch of the fleet's repository, or a directory. Default: its newest commit.",
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what a commit would change for each machine, compared with the applied fleet; changes nothing.

    Where the fleet can only be read, also which files are to be added to it for what was decided here.
    """
    state = State.read(settings_of_daemon(config))
    new = with_opened(asyncio.run(_fleet_to_be(state.settings, revision)), state.settings)
    found = (
        *differences(state.fleet, new, state.snapshot, state.context, state.retired),
        *effects_on_installed(state.fleet, new, state.snapshot),
    )
    files = _files_to_add(state.settings, state.snapshot, new)
    if as_json:
        changes = [{"machine": one.machine, "change": one.text} for one in found]
        say_json({"changes": changes, "add": files})
        return
    say([f"{one.machine}: {one.text}" for one in found] or ["Nothing changes for any machine."])
    for path, text in files.items():
        say(["", f"To be added to the fleet, {path}:", "", *(f"    {line}" for line in text.splitlines())])


async def _fleet_to_be(settings: Settings, revision: str | None) -> Fleet:
    repository = repository_of(settings)
    newest = repository.ref if repository else str(settings.fleet_directory)
    return await fleet_at(repository, revision or newest)


def _files_to_add(settings: Settings, snapshot: Snapshot, fleet: Fleet) -> dict[str, str]:
    """Return by path the files of machines whose places the database decided because nobody could commit them."""
    if settings.fleet_repository and not settings.fleet.read_only:
        return {}
    return {
        machine_path(given.name): new_machine_file(
            machine, given, options_of(given.rule, fleet.settings.rules)
        ).decode()
        for machine in sorted(snapshot.by_id.values(), key=_name)
        if (given := machine.assignment) and not listed_as(machine, fleet) and given.name not in fleet.names
    }


def _name(machine: Machine) -> str:
    return machine.title
