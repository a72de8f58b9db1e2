"""What a machine says in its own words, made fit for a log. Pure."""

import re

from iluvatar_pxe.printable import printable

_LONGEST = 400
"""Characters."""
_SECRET = re.compile(r"[\w+/=-]{40,}|\b[0-9a-z]{6}\.[0-9a-z]{16}\b")
"""What may be a key, a certificate or a token: Talos quotes the configuration that it refuses."""


def one_line(text: str) -> str:
    """Return a machine's words as one short line, without what may be a secret."""
    shown = printable(_SECRET.sub("…", " ".join(text.split())))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
