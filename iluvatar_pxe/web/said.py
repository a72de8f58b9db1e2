"""What a change came to, shown once on the page that the browser is led to afterwards."""

import secrets

from iluvatar_pxe.bounded import Recent

MOST = 64
"""Kept at once; a browser comes for it at once."""
FIELD = "said"
"""In the query of the page: a number that nobody guesses, so that no link puts words into this server's mouth."""


class Said:
    """One line each, in memory."""

    def __init__(self) -> None:
        self._lines: Recent[str, str] = Recent(MOST)

    def keep(self, line: str) -> str:
        """Return by what a line is asked for."""
        key = secrets.token_urlsafe(9)
        self._lines.put(key, line)
        return key

    def take(self, key: str) -> str:
        """Return a line, and forget it; empty where there is none."""
        return self._lines.pop(key) or ""
