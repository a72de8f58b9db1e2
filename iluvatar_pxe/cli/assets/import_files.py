"""``iluvatar-pxe assets import``: boot files from a directory or a stick."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.admin.asset_words import check_words
from iluvatar_pxe.cli.assets.importing import Imported, import_all
from iluvatar_pxe.cli.assets.options import JsonLinesOption, note, run
from iluvatar_pxe.cli.assets.page import imported_lines, is_refused
from iluvatar_pxe.cli.assets.watching import show_for
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.remote import check_local
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.settings.model import Settings


def _path(text: str) -> Path:
    """Return what was given as PATH; an empty one, such as a variable that is not set, would be this directory."""
    if not text:
        raise UsageError("PATH is empty; name a file or a directory, or . for this one")
    return Path(text)


def import_files(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", parser=_path, help="Files, or directories with files."),
    ],
    *,
    trust: Annotated[
        bool, typer.Option("--trust", help="Pin the checksum of a file that nothing else checks.")
    ] = False,
    as_json: JsonLinesOption = False,
    config: ConfigOption = None,
) -> None:
    """Import wanted files from a directory or a stick, verified like downloads; exits 1 if one is refused."""
    check_local("assets import")
    done = run(_imported(settings_of_daemon(config), paths, trust=trust, as_json=as_json))
    for line in done.refused:
        note(line)
    if done.rows and not as_json:
        say(imported_lines(done.rows))
    raise typer.Exit(1 if done.refused or any(map(is_refused, done.rows)) else 0)


async def _imported(settings: Settings, paths: Sequence[Path], *, trust: bool, as_json: bool) -> Imported:
    with show_for(as_json=as_json, line=check_words) as show:
        try:
            return await import_all(settings, paths, show, trust=trust)
        except asyncio.CancelledError:
            note("stopped; iluvatar-pxe assets status shows what was imported")
            raise
