"""A figure that a benchmark measures, as all of them print it and as ``bench/performance.py`` reads it."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROWS_FILE = "BENCH_ROWS"
"""The environment's name of a file to which figures are added, a line of JSON for each."""

_WHOLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. ``goal`` is the ratio to the peer's where there is a peer, else what ``ours`` is to be."""

    what: str
    ours: float
    unit: str
    goal: float | None
    peer: float | None = None
    peer_name: str = ""
    less_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """What ours is of the peer's, or None where there is no peer."""
        return self.ours / self.peer if self.peer else None

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached, or there is none."""
        reached = self.ours if self.ratio is None else self.ratio
        if self.goal is None:
            return True
        return reached <= self.goal if self.less_is_better else reached >= self.goal


def report(rows: Iterable[Row]) -> bool:
    """Print the figures, and add them to the file that ``BENCH_ROWS`` names; return whether all goals are met."""
    known = list(rows)
    for row in known:
        print(line_of(row), flush=True)
    if name := os.environ.get(ROWS_FILE):
        with Path(name).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in known)
    return all(row.is_met for row in known)


def line_of(row: Row) -> str:
    """Return a figure in one line."""
    peer = ""
    if row.peer is not None and row.ratio is not None:
        peer = f", {row.peer_name} {shown(row.peer)}, ratio {row.ratio:.2f}"
    sign = "≤" if row.less_is_better else "≥"
    goal = "" if row.goal is None else f" (goal {sign} {row.goal:g}{'' if row.is_met else ': missed'})"
    return f"{row.what}: {shown(row.ours, row.unit)}{peer}{goal}"


def shown(value: float, unit: str = "") -> str:
    """Return a value with as many digits as mean something."""
    digits = f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()
