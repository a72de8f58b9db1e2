"""Log lines that the network can provoke are written at most every so often."""

import logging
import time
from collections.abc import Callable
from typing import Any

import structlog

_INTERVAL = 1.0

_log = structlog.get_logger()


class RateLimiter:
    """Allows ``burst`` events in ``interval`` seconds and counts the rest.

    After an ``allow`` that returned True, ``suppressed`` is the number of events refused since the one
    before it, so that one log line can speak for all of them.
    """

    def __init__(self, interval: float, burst: int = 1) -> None:
        self.suppressed = 0
        self._interval = interval
        self._burst = burst
        self._refused = 0
        self._left = burst
        self._next: float | None = None

    def allow(self, now: float) -> bool:
        """Tell whether an event at ``now`` (seconds of a clock that does not go back) may pass."""
        if self._next is None or now >= self._next:
            self._next = now + self._interval
            self._left = self._burst
        if not self._left:
            self._refused += 1
            return False
        self._left -= 1
        self.suppressed, self._refused = self._refused, 0
        return True


class Complaints:
    """Log lines about what the network can provoke at will: of each kind of event at most one in ``interval`` seconds."""

    def __init__(self, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._limiters: dict[str, RateLimiter] = {}

    def log(self, event: str, level: int = logging.WARNING, **facts: Any) -> None:
        """Log an event, or count it as suppressed."""
        limiter = self._limiters.setdefault(event, RateLimiter(self._interval))
        if limiter.allow(self._clock()):
            _log.log(level, event, **facts, suppressed=limiter.suppressed)


_complaints = Complaints(_INTERVAL)


def complain(event: str, level: int = logging.WARNING, **facts: Any) -> None:
    """Log what the network can provoke at will: of each kind of event at most one line in a second."""
    _complaints.log(event, level, **facts)
