"""Reads YAML as most machines' files have it, in a fraction of the time: one key or item a line, in printable ASCII.

That is a part of YAML that can be taken in one way only. Whatever is rare, long or wrong is left to ``composer``, whose
``compose`` returns the same for all that is read here.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from iluvatar_pxe.fleet.yaml.composer import Mark, Node
from iluvatar_pxe.fleet.yaml.scalars import plain_scalar

LONGEST = 2_000
"""Characters: so few hold neither too many values nor too many levels."""

_QUOTED = r""" "[ !#-\[\]-~]*+" | '[ -&(-~]*+' """
"""Nothing in quotes stands for something else."""
_WORD = r" [A-Za-z0-9] [A-Za-z0-9._/()+-]*+ "
_WORDS = rf"{_WORD} (?: [: ] {_WORD} )*+"
_ITEM = rf"(?: {_QUOTED} | {_WORD} )"
_ITEMS = re.compile(_ITEM, re.VERBOSE)
_COMMENT = r"[#][ -~]*+"
_LINE = re.compile(
    rf"""
    (?P<indent> [ ]*+ )
    (?: {_COMMENT}
      | (?: (?P<item> - ) [ ]++ | (?P<key> [A-Za-z] [A-Za-z0-9]{{0,99}}+ ) : (?: [ ]++ | $ ) )
        (?: {_COMMENT}
          | (?: (?P<scalar> {_QUOTED} | {_WORDS} ) | \[ (?P<list> (?: {_ITEM} (?: , [ ]*+ {_ITEM} )*+ )? ) \] )
            (?: [ ]++ (?: {_COMMENT} )? )?
        )?
    )?
    """,
    re.VERBOSE,
)


class _Line(NamedTuple):
    """A line with a key or an item."""

    number: int
    indent: int
    key: str | None
    """None for an item."""
    value: Node | None
    """None where it is on the lines below."""


def read_plain(text: str) -> tuple[int, Node] | None:
    """Return the first line and the content of a mapping that is written plainly; None for any other text."""
    lines = _lines(text) if len(text) <= LONGEST else None
    if not lines or lines[0].indent or lines[0].key is None:
        return None
    reader = _Reader(lines)
    node = reader.mapping(0)
    return (lines[0].number, node) if node and reader.at == len(lines) else None


def _lines(text: str) -> Sequence[_Line] | None:
    """Return the lines that say something; None where one is not plain."""
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        indent, item, key, scalar, items = found.groups()
        if item or key:
            value = _scalar(scalar) if scalar else None if items is None else _list(items, number)
            lines.append(_Line(number, len(indent), key, value))
    return lines


def _scalar(text: str) -> Node:
    return Node(text[1:-1] if text[0] in "\"'" else plain_scalar(text))


def _list(text: str, line: int) -> Node:
    return _sequence([(line, _scalar(item)) for item in _ITEMS.findall(text)])


def _sequence(items: Sequence[tuple[int, Node]]) -> Node:
    return Node(
        tuple(node.value for _, node in items),
        {index: Mark(line, node.marks) for index, (line, node) in enumerate(items)},
        1 + max((node.height for _, node in items), default=0),
    )


class _Reader:
    """Puts lines together; ``at`` is the next one. It stops at what does not go on plainly."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines = lines
        self.at = 0

    def mapping(self, indent: int) -> Node | None:
        """Return the mapping whose keys are indented so; None where it is not plain."""
        value: dict[str, Any] = {}
        marks: dict[str | int, Mark] = {}
        height = 0
        while (line := self._next(indent)) and line.key is not None:
            self.at += 1
            node = line.value or self._below(indent)
            if node is None or line.key in value:
                return None
            value[line.key] = node.value
            marks[line.key] = Mark(line.number, node.marks)
            height = max(height, node.height)
        return Node(value, marks, 1 + height)

    def _below(self, indent: int) -> Node | None:
        """Return what belongs to a key without a value on its line."""
        line = self._lines[self.at] if self.at < len(self._lines) else None
        if line and line.key is None and line.indent >= indent:
            return self._items(line.indent)
        return self.mapping(line.indent) if line and line.indent > indent else Node(None)

    def _items(self, indent: int) -> Node | None:
        items = []
        while (line := self._next(indent)) and line.key is None:
            self.at += 1
            if line.value is None:
                return None
            items.append((line.number, line.value))
        return _sequence(items)

    def _next(self, indent: int) -> _Line | None:
        """Return the next line, if it is indented so."""
        line = self._lines[self.at] if self.at < len(self._lines) else None
        return line if line and line.indent == indent else None
