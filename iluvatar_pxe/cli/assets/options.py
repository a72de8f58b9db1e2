"""What commands on boot files take, and how they end."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Annotated, TypeVar

import typer

from iluvatar_pxe.cli.tables import plain

Done = TypeVar("Done")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Names of files or folders, or parts of them. Default: all."),
]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each change.")]


def run(work: Coroutine[None, None, Done]) -> Done:
    """Run to the end, or until Ctrl-C."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def note(text: str) -> None:
    """Write a line to standard error."""
    print(plain(f"iluvatar-pxe: {text}"), file=sys.stderr)  # noqa: T201
