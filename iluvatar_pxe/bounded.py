"""A memory with a maximum number of entries: the one written least recently makes room for a new one."""

from collections import OrderedDict
from collections.abc import ValuesView
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of at most ``most`` entries, in the order in which they were last written."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        """Say whether there is an entry for ``key``."""
        return key in self._entries

    def values(self) -> ValuesView[V]:
        """Return a view of the values, the least recently written first."""
        return self._entries.values()

    def get(self, key: K) -> V | None:
        """Return the value for ``key``, or None; reading does not change the order."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> tuple[K, V] | None:
        """Write an entry, which then is the most recent; return the entry that made room for it, or None."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        return self._entries.popitem(last=False) if len(self._entries) > self._most else None

    def pop(self, key: K) -> V | None:
        """Remove an entry and return its value; None if there is none."""
        return self._entries.pop(key, None)

    def oldest(self) -> tuple[K, V] | None:
        """Return the entry written least recently, or None if there is none."""
        return next(iter(self._entries.items()), None)
