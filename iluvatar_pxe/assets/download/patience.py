"""When a publisher is asked again. Pure: the time is an argument."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct

from iluvatar_pxe.errors import UnavailableError

_LONGEST_REQUEST = 300.0
"""Seconds of ``Retry-After`` that are waited for; who asks for more is given up for now."""


class Pauses(Struct, frozen=True):
    """Seconds between two attempts, doubled from ``first`` to ``longest``, and how many attempts there are."""

    first: float
    longest: float
    attempts: int
    resumes: bool = True
    """Whether an attempt that brought something counts as the first one again."""


USUAL = Pauses(1.0, 60.0, 6)
ONE_OF_SEVERAL = Pauses(1.0, 60.0, 2, resumes=False)
"""Another address follows, which may have the file at once: one that stalls again and again does not keep it waiting."""
BUILDING = Pauses(5.0, 60.0, 25)
"""The image factory builds for up to 20 minutes, also where something before it answers at once."""
_MOST_RESUMED = 1000
"""Attempts that each bring something: a file has an end."""


class Patience:
    """How often one address has been asked in vain."""

    def __init__(self, usual: Pauses = USUAL, building: Pauses = BUILDING) -> None:
        self._usual = usual
        self._building = building
        self._in_vain = 0
        self._built = 0
        self._all = 0

    def pause(self, error: UnavailableError, gained: int) -> float | None:
        """Return how long to wait after an attempt that brought ``gained`` bytes, or None: it was the last."""
        self._all += 1
        if error.is_building:
            self._built += 1
            pauses, count = self._building, self._built
        else:
            self._in_vain = 1 if gained and not error.is_slow and self._usual.resumes else self._in_vain + 1
            pauses, count = self._usual, self._in_vain
        wanted = error.after or 0.0
        if count >= pauses.attempts or self._all >= _MOST_RESUMED or wanted > _LONGEST_REQUEST:
            return None
        return max(wanted, min(pauses.longest, pauses.first * float(1 << count - 1)))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, a date as counted from ``Date`` (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        then, now = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError):  # no date, or one with a time zone and one without
        return None
