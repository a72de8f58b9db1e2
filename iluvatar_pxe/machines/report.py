"""What a machine's operating system has reported of itself."""

from typing import Self

from msgspec import Struct

from iluvatar_pxe.values import replace

LONGEST = 500
"""Characters of a fault."""
MOST_FAULTS = 5


class Report(Struct, frozen=True):
    """``start`` is the id of the operating system's last start, and ``boot`` the machine's boot that it was in.

    The same start, heard again, is no other one: a machine repeats itself after each lost connection.
    """

    start: str = ""
    boot: int = 0
    faults: tuple[str, ...] = ()
    """What was wrong since then, in the machine's own words, the latest last; none once it has joined."""
    node: str = ""
    """As which Node it was seen last, ``LAYER/NAME``; also when its file has left the fleet. Empty where it never was."""

    def with_fault(self, words: str) -> Self:
        """Return it with one more fault; of too many the oldest are forgotten."""
        return replace(self, faults=(*self.faults, words)[-MOST_FAULTS:])
