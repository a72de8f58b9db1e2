"""``iluvatar-pxe assets status`` and ``gc``: what is wanted, and what is there without being wanted."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.assets import AssetsGc, AssetsLeftovers, AssetsStatus
from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.cli.assets.options import Names
from iluvatar_pxe.cli.assets.page import leftover_lines, status_lines
from iluvatar_pxe.cli.assets.session import daemon_runs, session
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json, terminal_width
from iluvatar_pxe.settings.model import Settings


def status(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the wanted files, and how to bring what is missing; exits 1 if something is."""
    rows = asyncio.run(_asked(settings_of_daemon(config), AssetsStatus()))["files"]
    if as_json:
        say_json(rows)
    else:
        say(status_lines(rows, datetime.now(UTC), terminal_width()))
    raise typer.Exit(0 if all(row["ready"] for row in rows) else 1)


def gc(
    names: Names = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the files that the fleet does not want, and those that are kept nevertheless; --yes removes the others."""
    words = tuple(names or ())
    command = AssetsGc(names=words) if yes else AssetsLeftovers(names=words)
    rows = asyncio.run(_asked(settings_of_daemon(config), command))["files"]
    if as_json:
        say_json(rows)
    else:
        say(leftover_lines(rows, words, terminal_width(), removed=yes))


async def _asked(settings: Settings, command: Request) -> CommandResult:
    async with session(settings, runs=await daemon_runs(settings)) as place:
        return await place.ask(command)
