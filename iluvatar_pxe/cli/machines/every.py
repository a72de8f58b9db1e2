"""``iluvatar-pxe machines list``: all machines, as the daemon knows them or as they are recorded."""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.machines import ListMachines, ShowMachines
from iluvatar_pxe.cli.daemon import answer_or_none, ask_running
from iluvatar_pxe.cli.machines.listing import lines_of_pages
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.quickly import quickly
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_list, terminal_width, watch_lines
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.settings.model import Settings

_PAGE = 250
"""Machines that are asked for at once, as JSON."""


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
        watch_lines(lambda: lines_of_pages(_pages(settings, ListMachines(every=every)), terminal_width()))
    elif as_json:
        pages = _pages(settings, ShowMachines(limit=_PAGE))
        say_list(one for page in pages for one in page["machines"] if every or not one["transient"])
    else:
        say(lines_of_pages(_pages(settings, ListMachines(every=every)), terminal_width()))


def _pages(settings: Settings, request: ListMachines | ShowMachines) -> Iterator[Data]:
    """Yield what the daemon answers, page by page, or all in one that is read where none tells."""
    answer = answer_or_none(settings, request)
    if answer is None:
        with quickly():
            from iluvatar_pxe.cli.machines.recorded import recorded  # noqa: PLC0415 - opens the database

        answer = recorded(settings, request)
    yield answer
    while cursor := answer.get("next"):
        sys.stdout.flush()
        answer = ask_running(settings, request.model_copy(update={"cursor": cursor}))
        yield answer
