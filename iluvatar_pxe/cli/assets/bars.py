"""A bar for each wanted file that something happens to, on a terminal."""

import sys
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from iluvatar_pxe.admin.asset_words import bar_words, change_words, ending, trouble
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.cli.tables import plain

_NAME = 24
"""Characters of a name; beside them and the words, 80 columns have room for a bar."""


class Bars:
    """Redraws the bars at each look; what goes wrong is written above them."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(
                None, complete_style="cyan", finished_style="green", table_column=Column(ratio=1, min_width=8)
            ),
            TextColumn("{task.fields[words]}", markup=False, justify="right"),
            console=Console(file=sys.stdout, highlight=False, markup=False),
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, rows: Sequence[Data]) -> None:
        for row in rows:
            self._tell(row)
            name = row["name"]
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(plain(ending(name, _NAME)), words="", total=None)
            size = 1 if row["ready"] else row["size"]
            done = 1 if row["ready"] else row["bytes"]
            self._progress.update(self._tasks[name], total=size, completed=done, words=bar_words(row))
        self._progress.refresh()

    def _tell(self, row: Data) -> None:
        why = trouble(row)
        if self._told.get(row["name"], "") != why:
            self._told[row["name"]] = why
            if why:
                self._progress.console.print(plain(change_words(row)), soft_wrap=True)
