"""Limits forwarded queries, so that a flood leaves room for other clients."""

from collections import Counter

from msgspec import Struct

from iluvatar_pxe.wire.dns.name import Name, suffixes


class Bounds(Struct, frozen=True):
    """Queries in flight at once."""

    total: int = 300
    client: int = 100
    domain: int = 60
    """Per two-label domain: a random-subdomain flood delays that domain only."""


class Admission:
    """Counts the queries in flight."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._out: Counter[str | Name] = Counter()
        self.total = 0

    def enter(self, client: str, name: Name) -> bool:
        """Let one more question out, or tell that it is too many."""
        domain = _domain_of(name)
        if (
            self.total >= self._bounds.total
            or self._out[client] >= self._bounds.client
            or self._out[domain] >= self._bounds.domain
        ):
            self._tidy(client, domain)
            return False
        self.total += 1
        self._out[client] += 1
        self._out[domain] += 1
        return True

    def leave(self, client: str, name: Name) -> None:
        """Take note that a question that was let out is settled."""
        self.total -= 1
        domain = _domain_of(name)
        self._out[client] -= 1
        self._out[domain] -= 1
        self._tidy(client, domain)

    def _tidy(self, *keys: str | Name) -> None:
        for key in keys:
            if not self._out[key]:
                del self._out[key]


def _domain_of(name: Name) -> Name:
    """Return the last two labels of a name."""
    ends = list(suffixes(name))
    return ends[max(len(ends) - 3, 0)]
