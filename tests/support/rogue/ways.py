"""Ways to somebody else's configuration: of each kind as many different ones as are asked for, by chance from a seed."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from support.rogue.knowledge import Knowledge


class By(StrEnum):
    """How a way is gone."""

    HTTP = "http"
    HTTPS = "https"
    TFTP = "tftp"
    DNS = "dns"
    EVENTS = "events"
    KERNEL_LOG = "kernel log"
    DHCP = "dhcp"
    FILE = "file"
    SOCKET = "socket"


@dataclass(frozen=True)
class Way:
    """``sent`` goes to the server as it is; by TFTP, as a file and for DNS it is a name, for events a message."""

    kind: str
    by: By
    sent: bytes
    together: int = 1
    """How many times at the same moment."""


@dataclass(frozen=True)
class Chance:
    """The rogue's dice, and what it knows."""

    dice: random.Random
    known: Knowledge

    def one(self, *of: str) -> str:
        return self.dice.choice(of)

    def some(self, lines: dict[str, str]) -> dict[str, str]:
        """Return some of these, in any order."""
        names = self.dice.sample(sorted(lines), self.dice.randint(1, len(lines)))
        return {name: lines[name] for name in names}

    def text(self, alphabet: str, length: int) -> str:
        return "".join(self.dice.choices(alphabet, k=length))


_TRIES = 30
"""Throws of the dice for a way that was not gone yet."""

Kind = Callable[[Chance], Way]
KINDS: dict[str, Kind] = {}


def kind(make: Kind) -> Kind:
    """Enter a kind of ways under its function's name."""
    KINDS[make.__name__.replace("_", " ")] = make
    return make


def ways(known: Knowledge, seed: int, kinds: dict[str, Kind]) -> Iterator[Way]:
    """Yield different ways for ever, of each kind one after the other; a kind of which no other is found is left out."""
    chance, seen = Chance(random.Random(seed), known), set[tuple[By, bytes, int]]()
    left = dict(kinds)
    while left:
        for name, make in list(left.items()):
            for way in (make(chance) for _ in range(_TRIES)):
                if (key := (way.by, way.sent, way.together)) not in seen:
                    seen.add(key)
                    yield Way(name, *key)
                    break
            else:
                del left[name]
