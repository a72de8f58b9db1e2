"""How far a download is, as machines' screens, ``assets status`` and ``/readyz`` tell it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What happens to a wanted file."""

    MISSING = "missing"
    """It is not there, and nothing fetches it: ``[assets] fetch`` is false, or no daemon runs."""
    QUEUED = "queued"
    BUILDING = "building"
    """The image factory builds it; that takes up to 20 minutes."""
    LOADING = "loading"
    VERIFYING = "verifying"
    """All of it is there, and is read to be compared; one that was ready is served meanwhile."""
    UNPACKING = "unpacking"
    WAITING = "waiting"
    """The last attempt failed, and another one follows."""
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of one download. ``done`` and ``size`` are bytes, ``size`` None while unknown; ``rate`` is bytes/s.

    ``trouble`` is the last fault in one line, also while another attempt runs; empty when all is well. ``before`` is how
    many files come before one that is queued. ``peer`` is the other daemon that it comes from; empty where that is its
    publisher.
    """

    state: State
    done: int = 0
    size: int | None = None
    rate: float = 0.0
    trouble: str = ""
    before: int = 0
    peer: str = ""

    @property
    def percent(self) -> int | None:
        """Return the whole per cent that are there, or None while the size is unknown."""
        return min(100, self.done * 100 // self.size) if self.size else None

    @property
    def seconds_left(self) -> int | None:
        """Return the remaining seconds at this rate, or None where that cannot be told."""
        return round((self.size - self.done) / self.rate) if self.size and self.rate > 0 else None

    @property
    def is_under_way(self) -> bool:
        """Say whether the file comes by itself: nothing has failed, and somebody fetches it."""
        return self.state not in {State.MISSING, State.WAITING}
