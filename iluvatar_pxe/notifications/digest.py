"""What is to be told to one recipient, summed up: a thousand new machines are one message. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from iluvatar_pxe.fleet.notifications import NewsKind
from iluvatar_pxe.notifications.news import News
from iluvatar_pxe.printable import printable

MOST_LINES = 5
"""Of one kind that are told in full."""
MOST_CHARACTERS = 300
"""Of one line."""
_WORDS = {
    NewsKind.NEW_MACHINE: ("new machine", "new machines"),
    NewsKind.JOINED: ("machine joined", "machines joined"),
    NewsKind.FAILED: ("machine reports a fault", "machines report faults"),
    NewsKind.HELD: ("machine is held", "machines are held"),
    NewsKind.BOOT_LOOP: ("machine in a boot loop", "machines in a boot loop"),
    NewsKind.DHCP_SERVER: ("other DHCP server", "other DHCP servers"),
    NewsKind.PUSH_REFUSED: ("push refused", "pushes refused"),
}
_HARMLESS = str.maketrans({"<": "(", ">": ")", "[": "(", "]": ")", "`": "'", "@": "@\u200b"})
"""What would be a link, a mention of everybody or markup where messages are shown; machines choose their own names."""
_LINKED = re.compile(r"(?<=:)(?=//)|(?<=[^\W_]\.)(?=[^\W\d_])(?!ya?ml\b)")
"""Where a URL or a domain is cut, as services make links of those that are no markup; names of the fleet's files are none."""


class Message(Struct, frozen=True):
    """What a service gets: text of one line, and text of several."""

    title: str
    body: str


@dataclass(slots=True)
class Digest:
    """Counts all news, and keeps a few lines of each kind. Bounded, however much happens."""

    counts: dict[NewsKind, int] = field(default_factory=dict)
    lines: dict[NewsKind, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether there is anything to tell."""
        return bool(self.counts)

    def add(self, news: News) -> None:
        """Take in one more."""
        self.counts[news.kind] = self.counts.get(news.kind, 0) + 1
        lines = self.lines.setdefault(news.kind, [])
        if len(lines) < MOST_LINES:
            lines.append(harmless(news.line))

    def merge(self, later: "Digest") -> None:
        """Take in all that came later."""
        for kind, count in later.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
            self.lines[kind] = [*self.lines.get(kind, ()), *later.lines[kind]][:MOST_LINES]

    def message(self, domain: str) -> Message:
        """Return the message of the fleet of this domain."""
        kinds = [kind for kind in NewsKind if kind in self.counts]
        title = ", ".join(f"{self.counts[kind]} {_words(kind, self.counts[kind])}" for kind in kinds)
        return Message(f"{domain}: {title}", "\n".join(line for kind in kinds for line in self._of(kind)))

    def _of(self, kind: NewsKind) -> Iterator[str]:
        words = _words(kind, 1)
        yield from (f"{words[0].upper()}{words[1:]}: {line}" for line in self.lines[kind])
        if more := self.counts[kind] - len(self.lines[kind]):
            yield f"and {more} more {_words(kind, more)}"


def harmless(text: str) -> str:
    """Return a line of bounded length that is no markup wherever it is shown."""
    line = _LINKED.sub("\u200b", printable(text).translate(_HARMLESS))
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"


def _words(kind: NewsKind, count: int) -> str:
    return _WORDS[kind][count != 1]
