"""Whether the disk has room for a file, beside those that are being downloaded. Pure."""

RESERVE = 64 << 20
"""Bytes that a download leaves to the database and the fleet's repository."""
_MOST_UNSIZED = 2 << 30
"""Bytes of a file whose size its publisher does not tell: it may have no end."""


def missing(needed: int, free: int) -> int:
    """Return how many bytes must be freed before ``needed`` more can come; 0 if there is room."""
    return max(0, needed + RESERVE - free)


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

    def for_others(self, who: object) -> int:
        """Return how many bytes are promised to all but one."""
        return sum(self._promised.values()) - self._promised.get(who, 0)
