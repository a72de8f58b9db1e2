"""How fast a download is, and whether that is too slow. Pure: the time is an argument."""

from collections import deque

_APART = 0.25
"""Seconds between two samples; what comes sooner says nothing about the rate."""
_SAMPLES = 20


class Speed:
    """Bytes per second since the oldest of a few samples."""

    def __init__(self, done: int, now: float) -> None:
        self._samples = deque([(now, done)], maxlen=_SAMPLES)

    def reach(self, done: int, now: float) -> float:
        """Take in how many bytes are there, and return the rate; 0 while it cannot be told."""
        if now - self._samples[-1][0] >= _APART:
            self._samples.append((now, done))
        began, before = self._samples[0]
        return max(0.0, (done - before) / (now - began)) if now - began >= _APART else 0.0


class Pace:
    """Whether a publisher sends fewer than ``least`` bytes per second of waiting for it, over ``window`` seconds.

    Time in which nobody waits for it, as under a rate limit, does not count.
    """

    def __init__(self, least: int, window: float) -> None:
        self._least = least
        self._window = window
        self._waited, self._came = 0.0, 0

    def is_slow(self, count: int, waited: float) -> bool:
        """Take in that ``count`` bytes came after so many seconds, and say whether the window that ends now was too slow."""
        self._waited += waited
        self._came += count
        if self._waited < self._window:
            return False
        slow = self._came < self._least * self._waited
        self._waited, self._came = 0.0, 0
        return slow
