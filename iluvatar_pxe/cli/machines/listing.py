"""The table of ``machines list``."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from iluvatar_pxe.admin.data import Data, in_order
from iluvatar_pxe.cli.tables import Cell, table
from iluvatar_pxe.spans import ago

_COLUMNS = (
    ("name",),
    ("layer", "role"),
    ("phase", "intent"),
    ("address", "MACs"),
    ("make and product",),
    ("last seen", "reached"),
)
"""Columns that a narrow table sets below each other."""
_FOLDING = ("name", "make and product")
_WIDE = 150
"""Columns of a terminal on which each of them gets its own."""


def machine_lines(
    machines: Sequence[Data], now: datetime, width: int | None, *, every: bool
) -> Iterator[str]:
    """Lay out machines by name, then by MAC; unless ``every``, those that only passed by are one line at the end."""
    shown = in_order(machines, every=every)
    if shown:
        narrow = width is not None and width < _WIDE
        groups = _COLUMNS if narrow else tuple((heading,) for group in _COLUMNS for heading in group)
        rows = [_row(one, now, groups) for one in shown]
        folding = [number for number, group in enumerate(groups) if group[0] in _FOLDING]
        yield from table(groups, rows, width, folding)
    else:
        yield "No machines yet; boot one from the network."
    if passing := len(machines) - len(shown):
        yield f"and {passing:,} {'MAC' if passing == 1 else 'MACs'} that only sent a DHCP boot request; --all lists them"


def _row(machine: Data, now: datetime, groups: Sequence[Cell]) -> list[Cell]:
    texts = {
        "name": machine["name"] or "-",
        "layer": machine["layer"] or "",
        "role": machine["role"] or "",
        "phase": machine["phase"],
        "intent": _wanted(machine),
        "address": machine["address"] or "",
        "make and product": " ".join(filter(None, (machine["manufacturer"], machine["product"]))),
        "last seen": ago(datetime.fromisoformat(machine["last_seen"]), now),
        "reached": machine["reached"],
    }
    macs = machine["macs"]
    lines = {heading: (text,) for heading, text in texts.items()}
    lines |= {"MACs": tuple(macs) if ("address", "MACs") in groups else (", ".join(macs),)}
    return [tuple(line for heading in group for line in lines[heading]) for group in groups]


def _wanted(machine: Data) -> str:
    """Return what is unusual about what a machine is to do: a conflict comes first there, too."""
    if machine["conflict"]:
        return "conflict"
    return "" if machine["intent"] == "boot" else str(machine["intent"])
