"""Words in which boot files are told, which pages know too."""

import re

NO_PROGRAM = "none"
"""How it is told that firmware gets no program."""
_SCHEMATIC = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{56}([0-9a-f]{4})\b")


def shortened(name: str) -> str:
    """Return a logical name for people who need not type it: with the ends of a schematic's id."""
    return _SCHEMATIC.sub(r"\1...\2", name)
