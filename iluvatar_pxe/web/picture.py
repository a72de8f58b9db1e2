"""A machine's boots drawn below each other on one scale of time, by geometry in percent of its width."""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from iluvatar_pxe.admin.boot_parts import Part
from iluvatar_pxe.admin.boots import Boot, Segment
from iluvatar_pxe.spans import span

_TICKS = (1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400)
"""Seconds that the scale may name."""
_SHORTEST = 1000.0
_THINNEST = 0.6
_TICK_LETTER = 1.9
"""The same of a tick, also on a phone."""
_LETTER, _MARGIN = 0.9, 1.0
"""How much of the width a letter takes on a small desktop, and what is around a word; on a phone bars have no words."""


class Tick(Struct, frozen=True):
    """A time that the scale names."""

    x: float
    words: str


class Bar(Struct, frozen=True):
    """A segment in the picture; ``label`` is what there is room for."""

    segment: Segment
    x: float
    width: float
    label: str


class Picture(Struct, frozen=True):
    """Boots with their bars, in the order in which they are shown."""

    rows: tuple[tuple[Boot, tuple[Bar, ...]], ...]
    ticks: tuple[Tick, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts that any boot has, or lacks."""
        boots = [boot for boot, _ in self.rows]
        there = {part for one in boots for part in (*one.missing, *one.to_come)}
        there |= {segment.part for one in boots for segment in one.segments}
        return tuple(sorted(there))


def picture_of(boots: Sequence[Boot]) -> Picture:
    """Return the picture of some boots.

    The scale is that of the square root: the first second, in which firmware and iPXE ask, takes as much room as
    some minutes of an installation.
    """
    longest = max([_SHORTEST, *(one.milliseconds for one in boots)])

    def x(milliseconds: float) -> float:
        return round(100 * math.sqrt(milliseconds / longest), 2)

    ticks = [Tick(x(1000.0 * one), span(one)) for one in _TICKS if one * 1000.0 <= longest]
    rows = tuple((boot, tuple(_bar(one, x) for one in boot.segments)) for boot in boots)
    return Picture(rows, _apart(ticks))


def _bar(segment: Segment, x: Callable[[float], float]) -> Bar:
    start = x(segment.start)
    width = max(_THINNEST, round(x(segment.start + segment.milliseconds) - start, 2))
    word = segment.part.words
    fits = width >= len(word) * _LETTER + _MARGIN
    return Bar(segment, min(start, 100 - _THINNEST), width, word if fits else "")


def _apart(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Leave out ticks whose words would touch; the last ones stay."""
    kept: list[Tick] = []
    for tick in reversed(ticks):
        if not kept or kept[-1].x - tick.x >= len(tick.words) * _TICK_LETTER + _MARGIN:
            kept.append(tick)
    return tuple(reversed(kept))
