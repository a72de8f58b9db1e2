"""A wanted boot file in words, for a terminal and for the page. Rows are those of ``admin.assets.asset_data``. Pure."""

from datetime import datetime

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.amount import amount
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.catalogue.coming import behind
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.spans import ago, span

_STATES = {
    State.BUILDING: "the factory is building it",
    State.WAITING: "waiting to try again",
}
COPYING = "copying"
"""The state of a row whose file is copied from a stick."""
_MOVING = {COPYING, State.LOADING, State.VERIFYING, State.UNPACKING}


def ending(name: str, most: int) -> str:
    """Return the last characters of a name: the first ones are often the same."""
    text = shortened(name)
    return text if len(text) <= most else f"...{text[3 - most :]}"


def is_stuck(row: Data) -> bool:
    """Say whether a file does not come by itself, or not for now."""
    return not row["ready"] and row["state"] in {State.MISSING, State.WAITING}


def state_words(row: Data) -> str:
    """Say what happens to a file, and how far it is."""
    return _joined(_state(row), _share(row), *_pace(row))


def bar_words(row: Data) -> str:
    """Say the same beside a bar, in at most 43 characters."""
    if row["state"] == State.LOADING:
        return _joined(_share(row), *_pace(row))
    return _joined(_state(row), f"{row['percent']}%" if _share(row) and row["size"] else "", *_pace(row))


def change_words(row: Data) -> str:
    """Return the line for a change of a file."""
    return ": ".join(filter(None, (shortened(row["name"]), state_words(row), trouble(row))))


def check_words(row: Data) -> str:
    """Return the line for a change of a file that is checked: what was found wrong comes before what is done about it."""
    if not row["fault"]:
        return change_words(row)
    return f"{shortened(row['name'])}: a fault was found; now {state_words(row)}"


def trouble(row: Data) -> str:
    """Return why a file could not be fetched, without its name."""
    return str(row["trouble"] or "").removeprefix(f"{row['name']}: ")


def when_checked(row: Data, now: datetime) -> str:
    """Say how long ago a file was verified."""
    return f"checked {ago(datetime.fromisoformat(row['checked_at']), now)}" if row["checked_at"] else ""


def _state(row: Data) -> str:
    return _STATES.get(row["state"], str(row["state"])) + behind(row["before"])


def _share(row: Data) -> str:
    """Return how much of a file is done, where that is known."""
    if row["state"] not in _MOVING:
        return ""
    if row["size"]:
        return f"{row['percent']}% of {amount(row['size'])}"
    return amount(row["bytes"]) if row["bytes"] else ""


def _pace(row: Data) -> list[str]:
    """Return the rate and the remaining time, where they are known."""
    if row["state"] not in _MOVING:
        return []
    rate = f"{amount(row['rate'])}/s" if row["rate"] else ""
    return [rate, "" if row["seconds_left"] is None else f"{span(row['seconds_left'])} left"]


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))
