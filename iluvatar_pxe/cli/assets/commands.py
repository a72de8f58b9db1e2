"""``iluvatar-pxe assets``: the boot files that the fleet wants."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.assets import (
    AssetsFetch,
    AssetsGc,
    AssetsLeftovers,
    AssetsStatus,
    AssetsVerify,
)
from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.cli.assets.importing import Imported, import_all
from iluvatar_pxe.cli.assets.page import (
    fetched_lines,
    imported_lines,
    is_refused,
    leftover_lines,
    missing_lines,
    status_lines,
    verified_lines,
)
from iluvatar_pxe.cli.assets.session import daemon_runs, session
from iluvatar_pxe.cli.assets.watching import Busy, Show, is_fetched, is_read, show_for, watch
from iluvatar_pxe.cli.assets.words import check_words
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import plain, say, say_json, terminal_width
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.settings.model import Settings

Done = TypeVar("Done")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Names of files or folders, or parts of them. Default: all."),
]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each change.")]

app = typer.Typer(no_args_is_help=True, help="Fetch, verify and remove the boot files that the fleet wants.")


@app.command()
def status(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the wanted files, and how to bring what is missing; exits 1 if something is."""
    rows = asyncio.run(_asked(settings_of_daemon(config), AssetsStatus()))["files"]
    if as_json:
        say_json(rows)
    else:
        say(status_lines(rows, datetime.now(UTC), terminal_width()))
    raise typer.Exit(0 if all(row["ready"] for row in rows) else 1)


@app.command()
def fetch(names: Names = None, *, as_json: JsonLinesOption = False, config: ConfigOption = None) -> None:
    """Fetch missing files now, and show how far they are; exits 1 if one could not be fetched."""
    command = AssetsFetch(names=tuple(names or ()))
    show = show_for(as_json=as_json)
    rows = _run(_watched(settings_of_daemon(config), command, is_fetched, show))
    missing = [row for row in rows if not row["ready"]]
    if not as_json:
        say(missing_lines(missing, len(rows), terminal_width()) if missing else fetched_lines(rows))
    raise typer.Exit(1 if missing else 0)


@app.command()
def verify(names: Names = None, *, as_json: JsonLinesOption = False, config: ConfigOption = None) -> None:
    """Read files again and compare them; exits 1 if one is damaged, which is then fetched again."""
    command = AssetsVerify(names=tuple(names or ()))
    show = show_for(as_json=as_json, line=check_words)
    rows = _run(_watched(settings_of_daemon(config), command, is_read, show))
    if not as_json:
        say(verified_lines(rows))
    raise typer.Exit(1 if any(row["fault"] for row in rows) else 0)


def _path(text: str) -> Path:
    """Return what was given as PATH; an empty one, such as a variable that is not set, would be this directory."""
    if not text:
        raise UsageError("PATH is empty; name a file or a directory, or . for this one")
    return Path(text)


@app.command("import")
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
    done = _run(_imported(settings_of_daemon(config), paths, trust=trust, as_json=as_json))
    for line in done.refused:
        _note(line)
    if done.rows and not as_json:
        say(imported_lines(done.rows))
    raise typer.Exit(1 if done.refused or any(map(is_refused, done.rows)) else 0)


@app.command()
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
                _note(on if place.runs else "stopped; a download goes on from there the next time")
                raise


async def _imported(settings: Settings, paths: Sequence[Path], *, trust: bool, as_json: bool) -> Imported:
    with show_for(as_json=as_json, line=check_words) as show:
        try:
            return await import_all(settings, paths, show, trust=trust)
        except asyncio.CancelledError:
            _note("stopped; iluvatar-pxe assets status shows what was imported")
            raise


def _run(work: Coroutine[None, None, Done]) -> Done:
    """Run to the end, or until Ctrl-C."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _note(text: str) -> None:
    print(plain(f"iluvatar-pxe: {text}"), file=sys.stderr)  # noqa: T201
