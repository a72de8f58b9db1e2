"""``iluvatar-pxe assets fetch`` and ``verify``, which take long and are watched."""

import asyncio
from contextlib import AbstractContextManager

import typer

from iluvatar_pxe.admin.asset_words import check_words
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.assets import AssetsFetch, AssetsVerify
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.cli.assets.options import JsonLinesOption, Names, note, run
from iluvatar_pxe.cli.assets.page import fetched_lines, missing_lines, verified_lines
from iluvatar_pxe.cli.assets.session import daemon_runs, session
from iluvatar_pxe.cli.assets.watching import Busy, Show, is_fetched, is_read, show_for, watch
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, terminal_width
from iluvatar_pxe.settings.model import Settings


def fetch(names: Names = None, *, as_json: JsonLinesOption = False, config: ConfigOption = None) -> None:
    """Fetch missing files now, and show how far they are; exits 1 if one could not be fetched."""
    command = AssetsFetch(names=tuple(names or ()))
    show = show_for(as_json=as_json)
    rows = run(_watched(settings_of_daemon(config), command, is_fetched, show))
    missing = [row for row in rows if not row["ready"]]
    if not as_json:
        say(missing_lines(missing, len(rows), terminal_width()) if missing else fetched_lines(rows))
    raise typer.Exit(1 if missing else 0)


def verify(names: Names = None, *, as_json: JsonLinesOption = False, config: ConfigOption = None) -> None:
    """Read files again and compare them; exits 1 if one is damaged, which is then fetched again."""
    command = AssetsVerify(names=tuple(names or ()))
    show = show_for(as_json=as_json, line=check_words)
    rows = run(_watched(settings_of_daemon(config), command, is_read, show))
    if not as_json:
        say(verified_lines(rows))
    raise typer.Exit(1 if any(row["fault"] for row in rows) else 0)


async def _watched(
    settings: Settings, command: Request, busy: Busy, shown: AbstractContextManager[Show]
) -> list[Data]:
    """Carry out a command that takes long, and show it; return the last rows."""
    async with session(settings, runs=await daemon_runs(settings)) as place:
        answer = await place.ask(command)
        with shown as show:
            try:
                return await watch(place, answer["names"], busy, show)
            except asyncio.CancelledError:
                on = "the daemon goes on; iluvatar-pxe assets status shows how far it is"
                note(on if place.runs else "stopped; a download goes on from there the next time")
                raise
