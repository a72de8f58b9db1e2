"""Lengths of time, as people write them in commands."""

import re

from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.spans import span

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])")


def duration(text: str, longest: int, shortest: int = 1) -> int:
    """Return the seconds that ``90s``, ``30m``, ``2h`` or ``1d`` mean, within the limits; raises UsageError."""
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not shortest <= seconds <= longest:
        least = f"at least {span(shortest)} and " if shortest > 1 else ""
        raise UsageError(
            f"{text!r} is not a duration of {least}at most {span(longest)}; write 90s, 30m, 2h or 1d"
        )
    return seconds
