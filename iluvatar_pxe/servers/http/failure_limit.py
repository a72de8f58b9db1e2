"""Delays clients that guess tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from iluvatar_pxe.bounded import Recent

MOST_CLIENTS = 1024
"""Clients remembered at once; the oldest goes first."""


@dataclass(slots=True)
class _Record:
    since: float
    failures: int = 0
    until: float = 0.0


class FailureLimit:
    """Lets a client fail ``most`` times within ``seconds``, and then has it wait for as long."""

    def __init__(self, clock: Callable[[], float], most: int = 10, seconds: float = 60.0) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._records: Recent[str, _Record] = Recent(MOST_CLIENTS)

    def wait(self, client: str) -> float:
        """Return for how many seconds a client is not heard: 0 for one that is."""
        record = self._records.get(client)
        return max(0.0, record.until - self._clock()) if record else 0.0

    def fail(self, client: str) -> None:
        """Count one failure of a client."""
        now = self._clock()
        record = self._records.get(client) or _Record(now)
        self._records.put(client, record)
        if now - record.since >= self._seconds:
            record.since, record.failures = now, 0
        record.failures += 1
        if record.failures >= self._most:
            record.until = now + self._seconds
