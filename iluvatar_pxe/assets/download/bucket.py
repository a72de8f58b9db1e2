"""A rate limit that several downloads share. Pure: the time is an argument."""


class TokenBucket:
    """Lets through ``rate`` bytes per second, and at once as many as one second has."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = float(rate)
        self._at: float | None = None

    def take(self, count: int, now: float) -> float:
        """Take in that ``count`` bytes have come, and return for how many seconds nobody may read on.

        ``now`` are seconds of a clock that does not go back.
        """
        elapsed = 0.0 if self._at is None else now - self._at
        self._at = now
        self._left = min(self._left + elapsed * self._rate, float(self._rate)) - count
        return max(0.0, -self._left / self._rate)
