"""A bounded cache of upstream answers (RFC 2308, RFC 8767)."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.name import Name

STALE_SECONDS = 86400.0
"""How long an expired answer is kept, in case no upstream is reachable (RFC 8767, 5)."""
_OVERHEAD = 600
"""Bytes that an answer takes besides its records, name and places of TTLs: 15,000 of them took 11.6 MiB (bench/dns.py)."""


class Key(NamedTuple):
    """The question to an upstream."""

    name: Name
    type: int
    klass: int
    do: bool
    cd: bool


@dataclass(slots=True)
class Entry:
    """An answer, who gave it, and when (in seconds of a clock that does not go back)."""

    body: Body
    origin: str
    stored: float
    retry_at: float = 0.0
    """Until then the expired answer is served without asking again (RFC 8767, 5: failure recheck)."""

    def fresh(self, now: float) -> bool:
        """Say whether it is still good."""
        return now < self.stored + self.body.ttl


class Cache:
    """Answers by question; the least recently used one is evicted first."""

    def __init__(self, most: int, octets: int) -> None:
        """``most`` answers of ``octets`` bytes in total."""
        self._most, self._most_octets = most, octets
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self.octets = 0

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self._entries)

    def get(self, key: Key, now: float) -> Entry | None:
        """Return an answer that is good, or was within the last day."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now > entry.stored + entry.body.ttl + STALE_SECONDS:
            self.remove(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Keep an answer."""
        self.remove(key)
        self._entries[key] = entry
        self.octets += _octets(key, entry)
        while len(self._entries) > self._most or self.octets > self._most_octets:
            self.remove(next(iter(self._entries)))

    def remove(self, key: Key) -> None:
        """Forget an answer, if there is one."""
        if entry := self._entries.pop(key, None):
            self.octets -= _octets(key, entry)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self.octets = 0


def _octets(key: Key, entry: Entry) -> int:
    return _OVERHEAD + len(key.name) + len(entry.body.records) + 36 * len(entry.body.ttls)
