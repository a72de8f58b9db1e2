"""What is answered to a question, before it is put into octets for one client."""

from math import inf

from msgspec import Struct

from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.query import Query
from iluvatar_pxe.wire.dns.reply import reply_of
from iluvatar_pxe.wire.dns.types import Ede

LEADERS_SECONDS = 1.0
"""After this, it is noted again that somebody asks for a cluster's leaders."""


class DnsAnswer(Struct, frozen=True):
    """``origin`` says in words where it comes from; ``stored`` is the clock's time at which an upstream gave it."""

    body: Body
    origin: str
    stored: float | None = None
    stale: bool = False
    error: Ede | None = None
    cached: bool = False
    by_leaders: bool = False
    """It depends on which leaders of a cluster are alive."""

    def age(self, now: float) -> int:
        """Return for how many whole seconds it has been kept."""
        return 0 if self.stored is None else int(now - self.stored)

    def until(self, now: float) -> float:
        """Return until when the octets of it may be sent again: for about a second, in which TTLs count down.

        Answers that came at one moment do not all become old at one moment: their next reading would be a burst.
        """
        if self.error is not None or self.stale:
            return now
        if self.stored is None:
            return now + LEADERS_SECONDS if self.by_leaders else inf
        about_a_second = 0.5 + self.stored * 1000 % 1
        return min(now + about_a_second, self.stored + self.body.ttl)

    def reply(self, query: Query, now: float, *, limit: int, recursion: bool) -> bytes:
        """Return it in octets, for one who asked."""
        return reply_of(
            query,
            self.body,
            limit=limit,
            recursion=recursion,
            age=self.age(now),
            stale=self.stale,
            error=self.error,
        )


def refusal(rcode: int, origin: str, error: Ede | None = None) -> DnsAnswer:
    """Return an answer without records."""
    return DnsAnswer(Body(rcode), origin, error=error)
