"""What the rows of ``machines list`` say, and how wide its columns are. Pure."""

from collections.abc import Iterable
from datetime import datetime

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.printable import printable
from iluvatar_pxe.spans import ago

MAC = "MAC"
"""Under which the width of a single MAC is told, beside that of all of a machine."""


def texts_of(row: Data, now: datetime) -> dict[str, str]:
    """Return a row's texts, escaped as they are shown."""
    seen = ago(datetime.fromisoformat(row["last seen"]), now)
    texts = {**row, "MACs": ", ".join(row["MACs"]), "last seen": seen}
    return {heading: text if text.isprintable() else printable(text) for heading, text in texts.items()}


def widths_of(rows: Iterable[Data], now: datetime) -> dict[str, int]:
    """Return by headings the characters of the longest text in these rows."""
    widths: dict[str, int] = {}
    for row in rows:
        for heading, text in texts_of(row, now).items():
            if len(text) > widths.get(heading, -1):
                widths[heading] = len(text)
        widths[MAC] = max(widths.get(MAC, 0), *map(len, row["MACs"]))
    return widths
