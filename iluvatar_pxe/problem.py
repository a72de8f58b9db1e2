"""Why a part of the daemon does not work: logged when it changes, and not each time that it is found."""

from collections.abc import Callable, Sequence


def _silently() -> None:
    """Log nothing."""


def first_of(problems: Sequence[str]) -> str | None:
    """Return the first of several problems, and how many others there are, in one line; None where there are none."""
    if not problems:
        return None
    others = len(problems) - 1
    return problems[0] + (f" (and {others} more: iluvatar-pxe check)" if others else "")


class Problem:
    """``text`` is one line, or None while all is well."""

    def __init__(
        self, log: Callable[[str], object], log_end: Callable[[], object] = _silently, *, once: bool = False
    ) -> None:
        """``log`` is called with each new text, or with ``once`` only with the first; ``log_end`` when it is over."""
        self.text: str | None = None
        self._log = log
        self._log_end = log_end
        self._once = once

    def set(self, text: str | None) -> None:
        """Take in what the problem is now; None if there is none."""
        before, self.text = self.text, text
        if text is None:
            if before is not None:
                self._log_end()
        elif before is None or (text != before and not self._once):
            self._log(text)

    def clear(self) -> None:
        """Take in that all is well."""
        self.set(None)
