"""Whether the disk has room for a file, beside those that are being downloaded. Pure."""

import errno
from pathlib import Path

from iluvatar_pxe.amount import amount

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a write fails with where the disk, or somebody's share of it, is full."""
RESERVE = 64 << 20
"""Bytes that a download leaves to the database and the fleet's repository."""
_MOST_UNSIZED = 2 << 30
"""Bytes of a file whose size its publisher does not tell: it may have no end."""


def missing(needed: int, free: int) -> int:
    """Return how many bytes must be freed before ``needed`` more can come; 0 if there is room."""
    return max(0, needed + RESERVE - free)


def lacking(needed: int, free: int) -> int:
    """Return how many bytes must be freed on a disk that did not take more; all that are needed if a quota ended it."""
    return missing(needed, free) or needed or RESERVE


def no_space(directory: Path, lacks: int, *, at_least: bool = False) -> str:
    """Say how many bytes are missing, and what to do."""
    more = f"{'at least ' if at_least else ''}{amount(lacks)} more are needed"
    return f"no space left in {directory}: {more}; make room, for example with: iluvatar-pxe assets gc"


def most_unsized(free: int) -> int:
    """Return how many bytes may come of a file of unknown size: half of the room at most."""
    return min(_MOST_UNSIZED, max(0, free - RESERVE) // 2)


class Room:
    """How many bytes of the disk are promised to downloads that run now."""

    def __init__(self) -> None:
        self._promised: dict[object, int] = {}

    def promise(self, who: object, count: int) -> None:
        """Keep room for ``count`` more bytes of one download, in place of what was promised to it before."""
        self._promised[who] = count

    def release(self, who: object) -> None:
        """Keep no room for a download any more."""
        self._promised.pop(who, None)

    def promised(self, who: object) -> int:
        """Return how many bytes are promised to one download."""
        return self._promised.get(who, 0)

    def for_others(self, who: object) -> int:
        """Return how many bytes are promised to all but one."""
        return sum(self._promised.values()) - self._promised.get(who, 0)
