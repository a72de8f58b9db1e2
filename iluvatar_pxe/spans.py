"""Lengths of time as people read them. Pure."""

from datetime import datetime, timedelta

_UNITS = (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago a moment was, in its largest unit; a clock that was ahead is told as it is."""
    seconds = (now - moment) // timedelta(seconds=1)
    if seconds < -60:
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{largest(seconds)} ago" if seconds > 0 else "now"


def largest(seconds: int) -> str:
    """Return a length of time in its largest unit; what is negative is nothing."""
    for unit, size in _UNITS:
        if seconds >= size:
            return _counted(seconds // size, unit)
    return "0 s"


def span(seconds: int) -> str:
    """Return a length of time in its two largest units."""
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(_counted(count, unit))
    return " ".join(parts[:2]) or "0 s"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}s" if unit == "day" and count > 1 else f"{count} {unit}"
