"""What processes take: memory, a processor's time, wakeups. All read from /proc, so that nothing in them is slowed."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """MiB, milliseconds of a processor and wakeups; of ``since``: the latter two in a second."""

    resident: float
    proportional: float
    unique: float
    processor: float
    wakeups: float

    def since(self, before: "Cost", seconds: float) -> "Cost":
        """Return the memory now, and what was taken in a second since ``before``."""
        return Cost(
            self.resident,
            self.proportional,
            self.unique,
            (self.processor - before.processor) / seconds,
            (self.wakeups - before.wakeups) / seconds,
        )


def cost_of(pids: Iterable[int]) -> Cost:
    """Return what these processes and their descendants have taken since they began (proc_pid_status(5), smaps(5))."""
    named = list(pids)
    living = [pid for first in named for pid in _with_children(first)]
    threads = [task for pid in living for task in Path(f"/proc/{pid}/task").iterdir()]
    memory = [_fields(Path(f"/proc/{pid}/smaps_rollup")) for pid in living]
    return Cost(
        sum(one["Rss"] for one in memory) / 1024,
        sum(one["Pss"] for one in memory) / 1024,
        sum(one["Private_Clean"] + one["Private_Dirty"] for one in memory) / 1024,
        sum(_ran(task) for task in threads) + sum(_ended_children(pid) for pid in named),
        sum(_fields(task / "status")["voluntary_ctxt_switches"] for task in threads),
    )


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _with_children(int(child))


def _ran(task: Path) -> float:
    return int((task / "schedstat").read_text().split()[0]) / 1e6


def _ended_children(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * _TICK


def _fields(file: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in file.read_text().splitlines():
        name, _, value = line.partition(":")
        with suppress(ValueError, IndexError):
            found[name] = int(value.split()[0])
    return found
