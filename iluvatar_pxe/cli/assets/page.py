"""The pages of ``assets status`` and ``assets gc``."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from iluvatar_pxe.admin.asset_words import change_words, is_stuck, state_words, when_checked
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.amount import amount
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.cli.tables import Cell, paragraph, table

_COLUMNS = (("file", "wanted by"), ("version", "size"), ("state", "checked"), ("check", "source"))
"""Columns that a narrow table sets below each other."""
_FOLDING = ("file", "wanted by", "state", "check", "source")
_WIDE = 180
"""Columns of a terminal on which each of them gets its own."""
_LEFTOVER_COLUMNS = (("file",), ("size",), ("state",))
_LEFTOVER_FOLDING = (0, 2)


def status_lines(rows: Sequence[Data], now: datetime, width: int | None) -> Iterator[str]:
    """Lay out the wanted files, and then what is missing and how to bring it."""
    if not rows:
        yield "The fleet wants no boot files."
        return
    narrow = width is not None and width < _WIDE
    groups = _COLUMNS if narrow else tuple((heading,) for group in _COLUMNS for heading in group)
    folding = [number for number, group in enumerate(groups) if group[0] in _FOLDING]
    yield from table(groups, [_row(one, now, groups) for one in rows], width, folding)
    missing = [one for one in rows if not one["ready"]]
    if missing:
        yield ""
        yield from missing_lines(missing, len(rows), width)


def missing_lines(missing: Sequence[Data], wanted: int, width: int | None) -> Iterator[str]:
    """Say which files are missing and why, from where they can be had, and how to bring them."""
    count = f"{len(missing)} of {counted(wanted)} {'is' if len(missing) == 1 else 'are'} missing"
    yield from paragraph(f"{count}; machines that need {'it' if len(missing) == 1 else 'them'} wait.", width)
    some_are_stuck = any(map(is_stuck, missing))
    for row in missing if some_are_stuck else ():
        yield ""
        yield from paragraph(change_words(row), width)
        yield from paragraph(row["fault"], width) if row["fault"] else ()
        yield from (f"  {url}" for url in (*row["urls"][:1], *row["sums_urls"]))
    if some_are_stuck:
        yield ""
        yield from paragraph(
            "To fetch them now: iluvatar-pxe assets fetch. Without internet: download these addresses on another "
            "host, and bring the files: iluvatar-pxe assets import PATH",
            width,
        )


def fetched_lines(rows: Sequence[Data]) -> list[str]:
    """Say that everything is there."""
    return [f"fetched: {counted(len(rows))}." if rows else "Nothing is missing."]


def verified_lines(rows: Sequence[Data]) -> Iterator[str]:
    """Name the files that are damaged, one line each."""
    damaged = [row for row in rows if row["fault"]]
    for row in damaged:
        again = "; fetch or import it again" if row["state"] == State.MISSING else "; it is fetched again"
        yield f"{row['fault']}{'' if row['ready'] else again}"
    yield f"verified: {len(rows) - len(damaged)} of {counted(len(rows))}."


def imported_lines(rows: Sequence[Data]) -> Iterator[str]:
    """Name the files that were refused, one line each."""
    refused = [row for row in rows if is_refused(row)]
    yield from (row["fault"] or f"{change_words(row)}; it was not imported" for row in refused)
    there = len(rows) - len(refused)
    yield f"{there} of {counted(len(rows))} {'is' if 1 in {there, len(rows)} else 'are'} there now."


def is_refused(row: Data) -> bool:
    """Say whether a file was not imported, or was, and could not be pinned."""
    return bool(row["fault"]) or not row["ready"]


def leftover_lines(
    rows: Sequence[Data], words: Sequence[str], width: int | None, *, removed: bool
) -> Iterator[str]:
    """Lay out the files that the applied commit does not want, those that are kept, and how to remove the others."""
    if not rows:
        yield "There are no files that the fleet does not want."
        return
    goes = "removed" if removed else "not wanted"
    cells = [
        (
            (", ".join(filter(None, (shortened(row["name"]), row["part"]))),),
            (amount(row["size"]),),
            (f"kept: {row['kept_for']}" if row["kept_for"] else goes,),
        )
        for row in rows
    ]
    yield from table(_LEFTOVER_COLUMNS, cells, width, _LEFTOVER_FOLDING)
    gone = [row for row in rows if row["goes"]]
    if gone and not removed:
        command = " ".join(("iluvatar-pxe assets gc", *words, "--yes"))
        yield ""
        yield f"To remove {counted(len(gone))}, {amount(sum(row['size'] for row in gone))}: {command}"


def counted(files: int) -> str:
    """Return a number of files in words."""
    return f"{files} {'file' if files == 1 else 'files'}"


def _row(row: Data, now: datetime, groups: Sequence[Cell]) -> list[Cell]:
    texts = {
        "file": shortened(row["name"]),
        "wanted by": ", ".join(row["wanted_by"]),
        "version": row["version"],
        "size": amount(row["size"]) if row["size"] else "",
        "state": state_words(row),
        "checked": when_checked(row, now),
        "check": row["check"],
        "source": _place(row["source"] or ""),
    }
    return [tuple(filter(None, (texts[heading] for heading in group))) for group in groups]


def _place(source: str) -> str:
    """Return the host of an address, and what is none as it is."""
    return urlsplit(source).netloc or source
