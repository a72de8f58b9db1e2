"""The table of docs/performance.md: every benchmark of a server or command, several times, on an idle machine.

Usage: sudo .venv/bin/python bench/performance.py [--runs N] [SCRIPT…]     (default: 3 runs of all)

Prints the median of each figure with the least and the most, as a Markdown table; beside a peer, the medians are those of
the same runs. Exits 1 where a goal is missed.
"""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.rows import ROWS_FILE, Row, shown

SCRIPTS = ("tftp", "dhcp", "scripts", "assets", "dns", "commands", "rest", "start", "push", "boot_storm")


def main() -> int:
    parser = ArgumentParser(description="Every figure of docs/performance.md")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=f"of {', '.join(SCRIPTS)}")
    options = parser.parse_args()
    if unknown := set(options.scripts) - set(SCRIPTS):
        parser.error(f"no such script: {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    if options.runs < 1:
        parser.error("--runs: at least 1")
    scripts = options.scripts or SCRIPTS
    runs = [_run(script) for _ in range(options.runs) for script in scripts]
    figures = _by_name(row for rows in runs for row in rows)
    print("| what | ours | peer | ratio | goal |\n|---|---|---|---|---|")
    medians = [_median(rows) for rows in figures.values()]
    for row, rows in zip(medians, figures.values(), strict=True):
        print(_table_row(row, rows))
    return 0 if all(row.is_met for row in medians) else 1


def _run(script: str) -> list[Row]:
    with TemporaryDirectory() as directory:
        file = Path(directory, "rows")
        file.touch()
        command = [sys.executable, "-m", f"bench.{script}"]
        print(f"{script}:", file=sys.stderr, flush=True)
        subprocess.run(command, check=False, env=os.environ | {ROWS_FILE: str(file)}, stdout=sys.stderr)
        lines = file.read_text(encoding="utf-8").splitlines()
        if not lines:
            sys.exit(f"{script} measured nothing")
        return [Row(**json.loads(line)) for line in lines]


def _by_name(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.what, []).append(row)
    return found


def _median(rows: Sequence[Row]) -> Row:
    peers = [row.peer for row in rows if row.peer is not None]
    ratio = median(row.ratio for row in rows if row.ratio is not None) if peers else None
    ours, first = median(row.ours for row in rows), rows[0]
    return Row(
        what=first.what,
        ours=ours,
        unit=first.unit,
        goal=first.goal,
        peer=ours / ratio if ratio else None,
        peer_name=first.peer_name,
        less_is_better=first.less_is_better,
    )


def _table_row(row: Row, rows: Sequence[Row]) -> str:
    ours, values = shown(row.ours, row.unit), [one.ours for one in rows]
    if len(values) > 1:
        ours += f" ({shown(min(values))} to {shown(max(values))})"
    peer = "" if row.peer is None else f"{row.peer_name} {shown(row.peer)}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    sign = "≤" if row.less_is_better else "≥"
    goal = "" if row.goal is None else f"{sign} {row.goal:g}" + ("" if row.is_met else ", missed")
    return f"| {row.what} | {ours} | {peer} | {ratio} | {goal} |"


if __name__ == "__main__":
    sys.exit(main())
