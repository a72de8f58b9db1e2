"""Ranks upstreams, and how long to wait before asking the next."""

from collections.abc import Iterable
from dataclasses import dataclass

from iluvatar_pxe.settings.upstream import Upstream

_WEIGHT = 0.3
"""Weight of the latest time in the smoothed one."""
_FADING = 0.98
"""Decay of an unused upstream's time, so that it is tried again (as BIND does)."""
_LEAST, _MOST, _UNKNOWN = 0.05, 0.4, 0.2
"""Bounds of the wait, in seconds."""
_SHORTEST_PENALTY, _LONGEST_PENALTY = 1.0, 60.0
"""Seconds."""


@dataclass(slots=True)
class _Record:
    seconds: float | None = None
    """Smoothed time of an answer; None before the first one."""
    penalty: float = 0.0
    """Seconds; the latest one, 0 once it has answered."""
    until: float = 0.0
    """Until then it is asked last."""

    def smooth(self, seconds: float) -> None:
        """Take another time into account."""
        self.seconds = seconds if self.seconds is None else self.seconds + _WEIGHT * (seconds - self.seconds)


class Ranking:
    """``now`` is the seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self._records: dict[Upstream, _Record] = {}

    def order(self, upstreams: Iterable[Upstream], now: float) -> list[Upstream]:
        """Return upstreams, the best first: those that failed lately are the last, unknown ones the first."""

        def key(upstream: Upstream) -> tuple[float, float]:
            record = self._record(upstream)
            return max(record.until - now, 0.0), record.seconds or 0.0

        ordered = sorted(upstreams, key=key)
        for record in map(self._record, ordered[1:]):
            if record.seconds is not None:
                record.seconds *= _FADING
        return ordered

    def patience(self, upstream: Upstream) -> float:
        """Return the seconds after which the next upstream is asked as well."""
        seconds = self._record(upstream).seconds
        return _UNKNOWN if seconds is None else min(max(2 * seconds, _LEAST), _MOST)

    def answered(self, upstream: Upstream, seconds: float) -> None:
        """Take note of an answer, and of how long it took."""
        record = self._record(upstream)
        record.smooth(seconds)
        record.penalty, record.until = 0.0, 0.0

    def overtaken(self, upstream: Upstream, seconds: float) -> None:
        """Take note that another answered first: this one takes longer than ``seconds``, if it was given its patience."""
        if seconds >= self.patience(upstream):
            self._record(upstream).smooth(seconds)

    def failed(self, upstream: Upstream, now: float) -> None:
        """Take note that there was no answer: it is asked last for 1, 2, 4 … 60 s; meanwhile, more failures count no more."""
        record = self._record(upstream)
        if now >= record.until:
            record.penalty = min(max(2 * record.penalty, _SHORTEST_PENALTY), _LONGEST_PENALTY)
            record.until = now + record.penalty

    def seconds(self, upstream: Upstream) -> float | None:
        """Return the smoothed time of its answers; None before the first one."""
        return self._record(upstream).seconds

    def _record(self, upstream: Upstream) -> _Record:
        return self._records.setdefault(upstream, _Record())
