"""The table of ``machines list``, of pages that come one after the other."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain

from iluvatar_pxe.admin.data import Data, in_order
from iluvatar_pxe.admin.row_texts import MAC, texts_of, widths_of
from iluvatar_pxe.cli.tables import Cell, fitted, laid_out, one_line_each, plain

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
    """Lay out described machines by name, then by MAC; unless ``every``, those that only passed by are one line."""
    rows = [_row_of(one) for one in in_order(machines, every=every)]
    page = {
        "rows": rows,
        "widths": widths_of(rows, now),
        "passing": len(machines) - len(rows),
        "now": now.isoformat(),
    }
    return lines_of_pages(iter((page,)), width)


def lines_of_pages(pages: Iterator[Data], width: int | None) -> Iterator[str]:
    """Lay out pages of rows, of which the first one tells widths; those that only passed by are one line at the end."""
    first = next(pages)
    if first["rows"]:
        yield from _table(first, pages, width)
    else:
        yield "No machines yet; boot one from the network."
    if passing := first["passing"]:
        yield f"and {passing:,} {'MAC' if passing == 1 else 'MACs'} that only sent a DHCP boot request; --all lists them"


def _row_of(machine: Data) -> Data:
    unusual = "conflict" if machine["conflict"] else machine["intent"]
    return {
        "name": machine["name"] or "-",
        "layer": machine["layer"] or "",
        "role": machine["role"] or "",
        "phase": machine["phase"],
        "intent": "" if unusual == "boot" else unusual,
        "address": machine["address"] or "",
        "MACs": machine["macs"],
        "make and product": " ".join(filter(None, (machine["manufacturer"], machine["product"]))),
        "last seen": machine["last_seen"],
        "reached": machine["reached"],
    }


def _table(first: Data, pages: Iterator[Data], width: int | None) -> Iterator[str]:
    is_narrow = width is not None and width < _WIDE
    groups = _COLUMNS if is_narrow else tuple((heading,) for group in _COLUMNS for heading in group)
    now = datetime.fromisoformat(first["now"])
    known = first["widths"] | ({"MACs": first["widths"][MAC]} if is_narrow else {})
    longest = [max(max(len(heading), known[heading]) for heading in group) for group in groups]
    folding = [number for number, group in enumerate(groups) if group[0] in _FOLDING]
    widths = fitted(longest, width, folding)
    yield from laid_out([groups], widths, is_folded=width is not None)
    for page in chain((first,), pages):
        yield from _rows(page, now, groups, widths, width)


def _rows(
    page: Data, now: datetime, groups: Sequence[Cell], widths: Sequence[int], width: int | None
) -> Iterator[str]:
    if width is None:
        texts = (texts_of(row, now) for row in page["rows"])
        return one_line_each(([one[heading] for (heading,) in groups] for one in texts), widths)
    cells = (_cells(row, now, groups) for row in page["rows"])
    return laid_out(cells, widths, is_folded=True)


def _cells(row: Data, now: datetime, groups: Sequence[Cell]) -> list[list[str]]:
    texts = texts_of(row, now)
    macs = [plain(mac) for mac in row["MACs"]]
    return [
        [
            line
            for heading in group
            for line in (macs if heading == "MACs" and len(group) > 1 else (texts[heading],))
        ]
        for group in groups
    ]
