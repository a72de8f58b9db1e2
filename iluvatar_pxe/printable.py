"""Text in which no character breaks a line or obeys a terminal."""

import re

MAX_TEXT = 64
"""Longest text kept of what a machine reports."""

_NOT_PLAIN = re.compile(r"[^\x20-\x7e]+")


def printable(text: str) -> str:
    """Write out what would break a line: names and values may hold any character."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def plain_text(text: str) -> str:
    """Return printable ASCII of at most ``MAX_TEXT`` characters; anything else becomes ``?``."""
    return _NOT_PLAIN.sub("?", text[: MAX_TEXT * 4]).strip()[:MAX_TEXT].rstrip()
