"""Numbers that the daemon counts of itself, for whoever asks: additions, and nothing else."""

from bisect import bisect_left
from collections import Counter

SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0)
"""Bounds for answers: from a DHCP OFFER to an operating system's image. All protocols have the same, to be compared."""


class Histogram:
    """How often a value came to each of some ranges, and the sum of all values. ``bounds`` are their ends, ascending."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """By range; the last one has what is beyond all bounds."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Take in one value; one that equals a bound is below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class ProtocolMeter:
    """What one protocol's server did since the start. The keys of ``faults`` and ``transfers`` are words of the code."""

    __slots__ = ("faults", "received", "requests", "running", "seconds", "sent", "transfers")

    def __init__(self) -> None:
        self.requests = 0
        self.received = 0
        """Octets of requests."""
        self.sent = 0
        """Octets of answers."""
        self.faults: Counter[str] = Counter()
        """Requests that were not served, by reason."""
        self.seconds = Histogram(SECONDS)
        """From a request to its answer's end."""
        self.transfers: Counter[str] = Counter()
        """Files that were sent, by outcome."""
        self.running = 0
        """Files that are being sent."""
