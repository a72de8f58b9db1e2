"""``iluvatar-pxe machines list``: all machines, as the daemon knows them or as they are recorded."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data, in_order
from iluvatar_pxe.admin.requests.machines import MOST_MACHINES, ShowMachines
from iluvatar_pxe.cli.daemon import ask_running, told
from iluvatar_pxe.cli.machines.listing import machine_lines
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json, terminal_width, watch_lines
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.settings.model import Settings


def list_machines(
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Include machines that only sent a DHCP boot request.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the list anew every second, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List all machines."""
    settings = settings_of_daemon(config)
    if watch:
        if as_json or not sys.stdout.isatty():
            raise UsageError("--watch needs a terminal, and no --json")
        watch_lines(
            lambda: machine_lines(_described(settings), datetime.now(UTC), terminal_width(), every=every)
        )
    elif as_json:
        say_json(in_order(_described(settings), every=every))
    else:
        say(machine_lines(_described(settings), datetime.now(UTC), terminal_width(), every=every))


def _described(settings: Settings) -> list[Data]:
    """Ask the daemon, and read the inventory if it does not tell."""
    if answer := told(settings, ShowMachines()):
        machines: list[Data] = answer["machines"]
        while cursor := answer.get("next"):
            answer = ask_running(settings, ShowMachines(cursor=cursor, limit=MOST_MACHINES))
            machines += answer["machines"]
        return machines
    from iluvatar_pxe.cli.machines.recorded import recorded  # noqa: PLC0415 - opens the database

    return recorded(settings)
