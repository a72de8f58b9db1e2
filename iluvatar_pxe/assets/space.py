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


def no_space(directory: Path, lacks: int, *, at_least: bool = False, unpacks: bool = False) -> str:
    """Say how many bytes are missing, and what to do; ``unpacks``: what is to be unpacked is among them."""
    more = f"{'at least ' if at_least else ''}{amount(lacks)} more are needed{', also to unpack it' if unpacks else ''}"
    return f"no space left in {directory}: {more}; make room, for example with: iluvatar-pxe assets gc"


def most_unsized(free: int) -> int:
    """Return how many bytes may come of a file of unknown size: half of the room at most."""
    return min(_MOST_UNSIZED, max(0, free - RESERVE) // 2)


class Room:
    """How many bytes of the disk are promised to downloads that run now."""

    def __init__(self) -> None:
        self._promised: dict[object, int] = {}
        self._unsized: set[object] = set()

    def promise(self, who: object, count: int, *, is_sized: bool = True) -> None:
        """Keep room for ``count`` more bytes of one download, in place of what was promised to it before."""
        self._promised[who] = count
        (self._unsized.discard if is_sized else self._unsized.add)(who)

    def wrote(self, who: object, count: int) -> int:
        """Take in that so many bytes are on the disk; return how many may still come, negative if these were too many."""
        left = self._promised[who] - count
        self._promised[who] = max(0, left)
        return left

    def yield_to_sized(self, lacking: int) -> int:
        """Take so many bytes from the downloads of unknown size, and return them; none if those have fewer."""
        if lacking > sum(self._promised[who] for who in self._unsized):
            return 0
        left = lacking
        for who in self._unsized:
            taken = min(left, self._promised[who])
            self._promised[who] -= taken
            left -= taken
        return lacking

    def release(self, who: object) -> None:
        """Keep no room for a download any more."""
        self._promised.pop(who, None)
        self._unsized.discard(who)

    def promised(self, who: object) -> int:
        """Return how many bytes are promised to one download."""
        return self._promised.get(who, 0)

    def for_others(self, who: object) -> int:
        """Return how many bytes are promised to all but one."""
        return sum(self._promised.values()) - self._promised.get(who, 0)
