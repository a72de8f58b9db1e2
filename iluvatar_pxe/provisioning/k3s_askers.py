"""Which machines of a k3s cluster ask for their secrets, and which were told what to do and are not ready yet."""

import time
from collections.abc import Collection
from collections.abc import Set as AbstractSet

from msgspec import Struct

from iluvatar_pxe.layers.ainur.founding import Asks

ASKED_SECONDS = 90.0
"""For which a machine that has asked for its secrets is known to have none: it asks again after seconds."""
JOIN_SECONDS = 600.0
"""For which a server that was told to join keeps others from being told."""


class _Asked(Struct, frozen=True):
    at: float
    """By the monotonic clock."""
    asks: Asks
    why: str
    """Why it was told nothing."""


class _Told(Struct, frozen=True):
    at: float
    """By the monotonic clock."""
    joins: bool
    """It is to join as a server, without data."""


class K3sAskers:
    """Those of one layer, by their names; what they said and were told is kept in memory."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}
        self._told: dict[str, _Told] = {}

    def heard(self, name: str, asks: Asks, why: str = "") -> None:
        """Take in that a machine asks; ``why`` it was told nothing, where it was."""
        self._asked[name] = _Asked(time.monotonic(), asks, why)

    def told(self, name: str, *, joins: bool) -> None:
        """Take in that a machine was told what to do; ``joins``: as a server, without data."""
        self._told[name] = _Told(time.monotonic(), joins)

    def has_secrets(self, name: str) -> None:
        """Take in that a machine asks no more."""
        self._asked.pop(name, None)

    def asks(self, name: str) -> Asks | None:
        """Return what a machine asks with; None where it has not asked lately."""
        asked = self._asked.get(name)
        if asked is None or time.monotonic() - asked.at > ASKED_SECONDS:
            return None
        return asked.asks

    @property
    def refused(self) -> dict[str, str]:
        """By the names of those that ask, why they were told nothing."""
        return {name: one.why for name, one in self._asked.items() if one.why and self.asks(name)}

    def unready(self, ready: Collection[str]) -> AbstractSet[str]:
        """Return the names of those that were told what to do, and are not ready yet."""
        self._told = {name: told for name, told in self._told.items() if name not in ready}
        return self._told.keys()

    def starting(self, ready: Collection[str]) -> list[str]:
        """Return the names of those of them that were told so lately."""
        since = time.monotonic() - JOIN_SECONDS
        return [name for name in self.unready(ready) if self._told[name].at > since]

    def joining(self, ready: Collection[str], but: str = "") -> str:
        """Return which server, ``but`` for one, is joining; empty where none is."""
        return next((name for name in self.starting(ready) if self._told[name].joins and name != but), "")
