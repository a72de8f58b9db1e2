"""Text for terminals and pipes. Rich lays out tables too, but takes 15 s for 10,000 machines."""

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from json.encoder import encode_basestring_ascii
from typing import NoReturn

from iluvatar_pxe.printable import printable

Cell = tuple[str, ...]
"""The lines of a cell."""

_GAP = "  "
_LEAST = 8
"""Characters below which no column is squeezed."""
_LABEL = 12
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""ECMA-48: to the first line, and erase the screen with what was scrolled away."""
_WATCH_SECONDS = 1.0


def plain(text: str) -> str:
    """Escape control characters; quick where there are none."""
    return text if text.isprintable() else printable(text)


def terminal_width() -> int | None:
    """Return how many columns standard output has, or None where it is no terminal and lines may be of any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(lines: Iterable[str]) -> None:
    """Write lines to standard output, with control characters escaped."""
    sys.stdout.writelines(f"{plain(line)}\n" for line in lines)


def watch_lines(lines: Callable[[], Iterable[str]]) -> NoReturn:
    """Show lines on a terminal, made anew every second, until KeyboardInterrupt."""
    while True:
        text = "".join(f"{plain(line)}\n" for line in lines())
        sys.stdout.write(f"{_CLEAR}{text}")
        sys.stdout.flush()
        time.sleep(_WATCH_SECONDS)


def say_json(document: object) -> None:
    """Write JSON to standard output."""
    sys.stdout.write(f"{json.dumps(document, indent=2)}\n")


def say_list(rows: Iterable[Mapping[str, object]]) -> None:
    """Write objects as ``say_json`` writes a list of them, each as it comes, and in a third of the time."""
    before = "["
    for row in rows:
        lines = ",\n    ".join(f"{_json(key)}: {_json(value)}" for key, value in row.items())
        sys.stdout.write(f"{before}\n  {{\n    {lines}\n  }}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _json(value: object) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value and isinstance(value, list | dict):
        return json.dumps(value, indent=2).replace("\n", "\n    ")
    return json.dumps(value)


def table(
    headings: Sequence[Cell], rows: Sequence[Sequence[Cell]], width: int | None, folding: Collection[int]
) -> Iterator[str]:
    """Lay out rows of cells below headings.

    Where lines would be longer than ``width``, the columns whose numbers are in ``folding`` are made narrower.
    """
    cells = [[[plain(line) for line in cell] for cell in row] for row in (headings, *rows)]
    widths = [max(len(line) for row in cells for line in row[column]) for column in range(len(headings))]
    yield from laid_out(cells, fitted(widths, width, folding), is_folded=width is not None)


def fitted(widths: Sequence[int], width: int | None, folding: Collection[int]) -> Sequence[int]:
    """Return the widths of columns, of which those of ``folding`` are made narrower where lines exceed ``width``."""
    if width is None:
        return widths
    return _squeezed(widths, width - len(_GAP) * (len(widths) - 1), folding)


def laid_out(
    rows: Iterable[Sequence[Sequence[str]]], widths: Sequence[int], *, is_folded: bool
) -> Iterator[str]:
    """Lay out rows of cells, whose lines are escaped, in columns; ``is_folded``: lines that are too long are broken."""
    for row in rows:
        folded = [_folded(lines, most) for lines, most in zip(row, widths, strict=True)] if is_folded else row
        for lines in zip_longest(*folded, fillvalue=""):
            padded = (line.ljust(most) for line, most in zip(lines, widths, strict=True))
            yield _GAP.join(padded).rstrip()


def one_line_each(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """Lay out rows as ``laid_out`` does those whose cells have one line each, and break none; in a third of the time."""
    pattern = _GAP.join(f"%-{most}s" for most in widths)
    return ((pattern % tuple(row)).rstrip() for row in rows)


def fields(values: Mapping[str, str], width: int | None) -> Iterator[str]:
    """Lay out values beside their names, long ones over several lines; empty ones are left out."""
    length = max([_LABEL, *(len(name) + 1 for name in values)])
    for name, value in values.items():
        label = f"  {name:<{length}}"
        text = f"{label}{plain(value)}"
        if value and width is not None:
            yield from textwrap.wrap(text, width, subsequent_indent=" " * len(label))
        elif value:
            yield text


def paragraph(text: str, width: int | None) -> list[str]:
    """Break a text into lines, where they would be longer than ``width``."""
    return textwrap.wrap(plain(text), width) if width is not None else [text]


def _squeezed(widths: Sequence[int], room: int, columns: Collection[int]) -> list[int]:
    """Take from the widest of ``columns``, one character after the other, until all fit."""
    widths = list(widths)
    while sum(widths) > room:
        widest = max(columns, key=widths.__getitem__)
        if widths[widest] <= _LEAST:
            break
        widths[widest] -= 1
    return widths


def _folded(lines: Sequence[str], width: int) -> list[str]:
    """Break only the lines that are too long, at a space where there is one."""
    return [part for line in lines for part in (textwrap.wrap(line, width) if len(line) > width else [line])]
