"""Shows how far wanted files are until nothing happens to them any more."""

import asyncio
import json
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from iluvatar_pxe.admin.asset_words import change_words
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.assets import AssetsStatus
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.cli.assets.session import Session
from iluvatar_pxe.cli.tables import plain

LOOK_SECONDS = 0.5
"""Between two looks."""

Busy = Callable[[Data], bool]
"""Says whether something more is going to happen to a file."""


def is_fetched(row: Data) -> bool:
    """Say whether a file is on its way: after a failure, the daemon makes longer and longer pauses."""
    return not row["ready"] and not row["failures"]


def is_read(row: Data) -> bool:
    """Say whether a file is verified or imported."""
    return row["state"] in {State.VERIFYING, State.UNPACKING}


class Show(Protocol):
    """Shows rows, each time that they were looked at."""

    def __call__(self, rows: Sequence[Data]) -> None: ...


def show_for(*, as_json: bool, line: Callable[[Data], str] = change_words) -> AbstractContextManager[Show]:
    """Return bars for a terminal, otherwise a ``line`` for each change; JSON lines if wanted."""
    if as_json:
        return nullcontext(Changes(json.dumps, lambda row: row))
    if sys.stdout.isatty():
        from iluvatar_pxe.cli.assets.bars import Bars  # noqa: PLC0415 - loads Rich

        return Bars()
    return nullcontext(Changes(line, lambda row: (row["state"], row["trouble"])))


class Changes:
    """Writes a line for each file that differs from the last look."""

    def __init__(self, line: Callable[[Data], str], aspect: Callable[[Data], object]) -> None:
        """``aspect`` is what of a row has to differ."""
        self._line = line
        self._aspect = aspect
        self._last: dict[str, object] = {}

    def __call__(self, rows: Sequence[Data]) -> None:
        for row in rows:
            aspect = self._aspect(row)
            if self._last.get(row["name"]) != aspect:
                self._last[row["name"]] = aspect
                sys.stdout.write(f"{plain(self._line(row))}\n")
        sys.stdout.flush()


async def watch(place: Session, names: Collection[str], busy: Busy, show: Show) -> list[Data]:
    """Show these files until none is ``busy``; return the last rows."""
    while True:
        rows = await look(place, names)
        show(rows)
        if not any(map(busy, rows)):
            return rows
        await asyncio.sleep(LOOK_SECONDS)


async def look(place: Session, names: Collection[str]) -> list[Data]:
    """Return the rows of these files; one that the fleet does not want any more has none."""
    rows = (await place.ask(AssetsStatus()))["files"]
    return [row for row in rows if row["name"] in names]
