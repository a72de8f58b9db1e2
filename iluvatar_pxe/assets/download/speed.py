"""How fast a download is, over its last seconds. Pure: the time is an argument."""

from collections import deque

_SECONDS = 5.0
_SAMPLES = 20


class Speed:
    """Bytes per second since the oldest of a few samples."""

    def __init__(self, done: int, now: float) -> None:
        self._samples = deque([(now, done)], maxlen=_SAMPLES)

    def reach(self, done: int, now: float) -> float:
        """Take in how many bytes are there, and return the rate."""
        if now - self._samples[-1][0] >= _SECONDS / _SAMPLES:
            self._samples.append((now, done))
        began, before = self._samples[0]
        return max(0.0, (done - before) / (now - began)) if now > began else 0.0
