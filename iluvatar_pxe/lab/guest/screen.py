"""What a machine writes to its serial console, as lines that a person can read."""

import re
from collections.abc import Iterable, Iterator

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?=]*[A-Za-z]|.)")
_CONTROL = re.compile(r"[\x00-\x07\x0b-\x1f\x7f]")
_KERNEL_LOG = re.compile(r"\[ *\d+\.\d{6}\] ")


def without_escapes(text: str) -> str:
    """Return text without colours and cursor movements."""
    return _ESCAPE.sub("", text)


def readable(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines as they looked in the end; empty ones and the kernel's log are left out."""
    for line in lines:
        shown = _CONTROL.sub("", _typed_over(without_escapes(line))).rstrip()
        if shown and not _KERNEL_LOG.match(shown):
            yield shown


def _typed_over(line: str) -> str:
    """Return what is seen where backspaces go back and other characters follow: iPXE's percentages."""
    shown: list[str] = []
    cursor = 0
    for character in line:
        if character == "\b":
            cursor = max(cursor - 1, 0)
        else:
            shown[cursor : cursor + 1] = character
            cursor += 1
    return "".join(shown)
