"""What ``lab`` shows: lines of consoles, and how boots went."""

import zlib
from collections.abc import Iterator, Sequence

from iluvatar_pxe.cli.tables import table
from iluvatar_pxe.lab.watch.attempt import Attempt
from iluvatar_pxe.lab.watch.stages import STAGES, next_stage

_NAME_COLUMNS = 12
_COLOURS = (36, 33, 35, 32)
"""Terminal colours (SGR) for the names of machines."""


def console_line(name: str, line: str, *, colours: bool) -> str:
    """Return a line of a console, behind the machine's name if there is one."""
    if not name:
        return line
    label = f"{name:<{_NAME_COLUMNS}}|"
    if colours:
        label = f"\x1b[{_COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]}m{label}\x1b[0m"
    return f"{label} {line}"


def stage_lines(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield a table: seconds from switching on to every stage, a column for each boot."""
    kinds = [(f"{attempt.kind}",) for attempt in attempts]
    rows = [((stage,), *((_seconds(attempt.stages.get(stage)),) for attempt in attempts)) for stage in STAGES]
    yield from table((("seconds since switching on",), *kinds), rows, None, ())


def attempt_lines(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield a line for each boot, and for one that failed why, with the daemon's lines about it."""
    for attempt in attempts:
        if attempt.outcome.reached_config:
            yield f"{attempt.kind} ({attempt.mac}) fetched its configuration."
        else:
            missing = next_stage(attempt.stages) or STAGES[-1]
            yield f"{attempt.kind} ({attempt.mac}) did not reach the stage: {missing}"
            yield from f"Reason: {attempt.outcome.reason}".splitlines()
            yield "The daemon's last log lines about it:"
            yield from (f"  {line}" for line in attempt.log or ["none"])


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
