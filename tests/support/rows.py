"""The daemon's database inside a network of our own, read as a person with ``sqlite3`` would."""

import json
from typing import Any

from iluvatar_pxe.lab.daemon import STATE
from iluvatar_pxe.lab.room.namespace import Namespace


def inventory_rows(namespace: Namespace, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query; SQLite resolves links, so it has to run where the file is."""
    answer = namespace.run(["sqlite3", "-readonly", "-json", str(STATE / "inventory.db"), query])
    return [tuple(row.values()) for row in json.loads(answer or "[]")]
