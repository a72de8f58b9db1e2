"""A line of a Talos machine's kernel log as it comes over the network, and which lines came before. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.errors import WireError

LONGEST = 16 * 1024
"""Bytes of one line; the kernel's own longest message has 1,024."""
FIRST, LAST = 1024, 1024
"""Lines of a boot that are remembered: the first ones, and the last ones."""

_SHOWN = 2000
"""Characters of a message."""


class KernelLogLine(Struct, frozen=True):
    """``seq`` counts the lines of a boot, and ``clock`` is microseconds since its beginning.

    ``time`` is wrong until the machine's clock is set, so the order is that of ``seq``. ``priority`` is the kernel's word
    (``err``, ``info``); ``facility`` is ``kern``, or ``user`` for Talos' own lines.
    """

    message: str
    seq: int
    clock: int
    facility: str
    priority: str
    time: datetime | None


def read_line(line: bytes) -> KernelLogLine:
    """Return the line that a JSON object holds; raises WireError."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError("is no JSON") from error
    if not isinstance(values, dict):
        raise WireError("is no JSON object")
    return KernelLogLine(
        message=_text(values, "msg")[:_SHOWN],
        seq=_number(values, "seq"),
        clock=_number(values, "clock"),
        facility=_text(values, "facility")[:_SHOWN],
        priority=_text(values, "priority")[:_SHOWN],
        time=_time(_text(values, "talos-time")),
    )


def _text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str):
        raise WireError(f"{key} is no text")
    return value


def _number(values: Mapping[str, object], key: str) -> int:
    value = values.get(key, 0)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise WireError(f"{key} is no number that counts")
    return value


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(_in_microseconds(text))
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo and time.year > 1 else None


def _in_microseconds(text: str) -> str:
    """Go writes up to nine digits of a second, and Python's format has six."""
    second, dot, fraction = text.removesuffix("Z").partition(".")
    return f"{second}{dot}{fraction[:6]}+00:00"


class Boot:
    """The lines of one machine that came already: it sends them again after each lost connection.

    Lines have no name of their boot. A line whose number came before, with other content, begins another one; what both
    have in common at their very beginning, before the kernel has a clock, counts as sent again.
    """

    def __init__(self) -> None:
        self._repeats = False
        self._repeated: dict[int, int] = {}
        """What came again since the last new line: another boot may have begun with it."""
        self._forget()

    def is_new(self, line: KernelLogLine) -> bool:
        """Say whether a line has not come before, and remember it."""
        content = hash((line.clock, line.message))
        known = self._first.get(line.seq, self._last.get(line.seq))
        self._repeats = known == content or (known is None and self._repeats and self._is_forgotten(line))
        if self._repeats:
            if line.seq < FIRST:
                self._repeated[line.seq] = content
            return False
        if known is not None or self._is_forgotten(line):
            self._forget()
        self._repeated = {}
        self._remember(line.seq, content)
        return True

    def _is_forgotten(self, line: KernelLogLine) -> bool:
        """Say whether a line of this boot with that number would have come so long ago that it is not remembered."""
        return line.seq <= self._highest - LAST

    def _forget(self) -> None:
        self._first = self._repeated
        self._last: Recent[int, int] = Recent(LAST)
        self._highest = -1

    def _remember(self, seq: int, content: int) -> None:
        self._highest = max(self._highest, seq)
        if seq < FIRST:
            self._first[seq] = content
        else:
            self._last.put(seq, content)
