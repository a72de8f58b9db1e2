"""What templates make of plain data: times, lengths of time and bytes as people read them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from iluvatar_pxe.amount import amount
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.spans import ago, largest, span


def since(text: str) -> str:
    """Say how long ago a time was, in ISO 8601; a text that is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return ago(moment, datetime.now(UTC))


def day(text: str) -> str:
    """Return the day of a time in ISO 8601."""
    return text[:10]


def so_far(moment: datetime) -> str:
    """Return how long ago a moment was, in its largest unit; one that is ahead is now."""
    return largest((datetime.now(UTC) - moment) // timedelta(seconds=1))


def lasting(milliseconds: float) -> str:
    """Return a length of time: of less than ten seconds with three digits at most."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 10_000 else span(round(milliseconds / 1000))


def stage_word(stage: Stage | Happening) -> str:
    """Return what the log calls a stage, or what else happened."""
    return stage.label if isinstance(stage, Stage) else stage.value


def server_time() -> str:
    """Return the time now, for browsers whose clock is off."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


FILTERS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "ago": since,
        "amount": amount,
        "day": day,
        "lasting": lasting,
        "shortened": shortened,
        "stage_word": stage_word,
        "so_far": so_far,
        "span": span,
    }
)
"""By their names in templates."""
