"""How fast a download is, over its last seconds. Pure: the time is an argument."""

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
