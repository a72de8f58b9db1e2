"""The enrolment window: the time in which machines that the fleet does not list may join.

A Raspberry Pi has no clock of its own. It starts somewhere in the past, and jumps forward when it has reached a
time server. So an open window is measured by the monotonic clock, which does not jump, and over a restart by both
clocks: the wall clock may shorten what remained, and never lengthens it. Where the fleet's repository says when it was
opened or closed, that holds: each daemon takes it in once, when it applies the commit.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from iluvatar_pxe.fleet.daemon_files import EnrolmentFile

FIRST_WINDOW_SECONDS = 24 * 3600.0
"""How long it is open after the very first start."""
FIRST_START = "first start"
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this date has not been set."""


class SavedWindow(Struct, frozen=True):
    """A window as written down: the seconds that then remained (0 when closed), and their end by the wall clock."""

    remaining: float
    ends_at: datetime
    opened_by: str

    def remaining_at(self, now: datetime) -> float:
        """Return how many seconds of it a start at ``now`` has left; never more than had remained.

        Where it was written down by a clock that had not been set yet, only what had remained counts.
        """
        if self.ends_at < _EARLIEST:
            return self.remaining
        return max(0.0, min(self.remaining, (self.ends_at - now).total_seconds()))


def seconds_left(saved: SavedWindow | None, now: datetime) -> float:
    """Return how many seconds of the window a start at ``now`` has left; None is a first start, which opens it."""
    return FIRST_WINDOW_SECONDS if saved is None else saved.remaining_at(now)


def seconds_stated(stated: EnrolmentFile, now: datetime, most_age: float) -> float | None:
    """Return how many seconds of a window that a commit opened are left, or None if that cannot be known yet.

    The commit was made ``most_age`` seconds ago at most: that counts where one of the two clocks was not set, or they
    contradict each other, and limits what a clock that is ahead takes away.
    """
    told = (now - stated.moment).total_seconds()
    age = min(told, most_age) if told >= 0 and stated.moment >= _EARLIEST else most_age
    if math.isinf(age) and stated.seconds:
        return None
    return max(0.0, stated.seconds - age)


class Window:
    """Open until a moment of the monotonic ``clock``, or closed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` returns seconds that only ever go forward."""
        self._clock = clock
        self._closes = clock()
        self._opened_by = ""

    @property
    def is_open(self) -> bool:
        """Say whether unlisted machines may join."""
        return self.remaining > 0

    @property
    def remaining(self) -> float:
        """Return the seconds for which it stays open."""
        return max(0.0, self._closes - self._clock())

    @property
    def opened_by(self) -> str:
        """Return who opened, or closed, it last."""
        return self._opened_by

    def open(self, seconds: float, by: str) -> None:
        """Open it for so many seconds from now, whatever it was before."""
        self._closes = self._clock() + seconds
        self._opened_by = by

    def close(self, by: str) -> None:
        """Close it."""
        self.open(0, by)

    def resume(self, saved: SavedWindow | None, now: datetime) -> None:
        """Go on where the last run ended; None is a first start. ``now`` is the wall clock's."""
        self.open(seconds_left(saved, now), saved.opened_by if saved else FIRST_START)

    def saved(self, now: datetime) -> SavedWindow:
        """Return what is to be written down at ``now``, by the wall clock."""
        return SavedWindow(self.remaining, now + timedelta(seconds=self.remaining), self._opened_by)
