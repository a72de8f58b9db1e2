"""What is answered to whom: the fleet's names to everybody, others' to those who may have them asked for."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address

from iluvatar_pxe.dns.cache import Key
from iluvatar_pxe.dns.zone import Found
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.servers.dns.answer import DnsAnswer, refusal
from iluvatar_pxe.servers.dns.recursion import Deliver, Recursion
from iluvatar_pxe.servers.dns.zones import Zones
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.name import Name
from iluvatar_pxe.wire.dns.query import CD, Query
from iluvatar_pxe.wire.dns.records import body_followed_by, body_with
from iluvatar_pxe.wire.dns.reply import LONGEST_MESSAGE
from iluvatar_pxe.wire.dns.types import IN, Ede, Rcode, Type

_MOST_BODIES = 4096
_MOST_WAITING = 200
"""Questions that wait until leaders were asked; more of them are answered with what was known last."""
_TRANSFERS = frozenset({Type.AXFR, Type.IXFR})


class Resolver:
    """Answers questions, at once where it can. ``counts`` has what was answered, by kind.

    ``meter`` is that of all listeners; its times are of questions that had to be read.
    """

    def __init__(self, zones: Zones, recursion: Recursion) -> None:
        self._zones = zones
        self._recursion = recursion
        self._own: dict[tuple[IPv4Address, Name, int], DnsAnswer] = {}
        self.counts: Counter[str] = Counter()
        self.meter = ProtocolMeter()
        self._waiting: list[Callable[[], None]] = []
        self._read = 0
        """Questions that were read."""

    @property
    def hot_answers(self) -> int:
        """How many questions were answered without being read."""
        return self.meter.requests - self._read

    def begin(self, size: int) -> float:
        """Count a question of ``size`` octets that is read; return the time, for ``end``."""
        self._read += 1
        self.meter.requests += 1
        self.meter.received += size
        return time.monotonic()

    def end(self, size: int, began: float) -> None:
        """Count an answer of ``size`` octets to such a question."""
        self.meter.sent += size
        self.meter.seconds.observe(time.monotonic() - began)

    def forget(self) -> None:
        """Take note that the zones have changed."""
        self._own.clear()

    def answer(
        self, query: Query, here: IPv4Address, client: str, *, allowed: bool, deliver: Deliver
    ) -> DnsAnswer | None:
        """Return the answer, or None where ``deliver`` is called with it: now or later.

        ``here`` is the daemon's address that was asked; ``allowed``: the client may have names asked for elsewhere.
        """
        if query.klass != IN or query.type in _TRANSFERS:
            return self._refuse("zones are not transferred" if query.klass == IN else "no class but IN")
        known = self._own.get((here, query.name, query.type))
        found = None if known else self._zones.at(here).find(query.name, query.type)
        given = known or found
        if given and given.by_leaders and self._has_to_wait():
            again = partial(self.answer, query, here, client, allowed=allowed, deliver=deliver)
            self._waiting.append(lambda: _pass_on(again(), deliver))
            return None
        if known:
            self.counts["own"] += 1
            return known
        return self._answer_found(query, here, client, found, allowed=allowed, deliver=deliver)

    def _answer_found(
        self,
        query: Query,
        here: IPv4Address,
        client: str,
        found: Found | None,
        *,
        allowed: bool,
        deliver: Deliver,
    ) -> DnsAnswer | None:
        if found is None:
            return self._elsewhere(_key(query, query.name), query, client, allowed=allowed, deliver=deliver)
        if found.is_shared and query.recursive and allowed:
            return self._ask_inside(query, client, found, deliver)
        self.counts["own"] += 1
        if found.elsewhere and query.recursive and allowed:
            return self._follow(query, client, found, found.elsewhere, deliver)
        return self._keep(here, query, found)

    def settle(self) -> None:
        """Answer who waits to learn which leaders are alive, where that is known now."""
        if self._waiting and self._zones.know_leaders():
            waiting, self._waiting = self._waiting, []
            for answer in waiting:
                answer()

    def _has_to_wait(self) -> bool:
        return not self._zones.know_leaders() and len(self._waiting) < _MOST_WAITING

    def still_answers(self, query: Query, answer: DnsAnswer, now: float) -> bool:
        """Say whether an answer that was remembered is still the one to this question, but for its TTLs."""
        is_kept = answer.cached and not answer.stale
        return is_kept and self._recursion.remembers(_key(query, query.name), answer.body, now)

    def _follow(
        self, query: Query, client: str, found: Found, target: Name, deliver: Deliver
    ) -> DnsAnswer | None:
        """Ask for what an alias of the fleet leads to."""

        def join(rest: DnsAnswer) -> None:
            deliver(_joined(query, target, found, rest))

        rest = self._elsewhere(_key(query, target), query, client, allowed=True, deliver=join)
        return rest and _joined(query, target, found, rest)

    def _ask_inside(self, query: Query, client: str, found: Found, deliver: Deliver) -> DnsAnswer | None:
        """Ask in private networks for a name that is not known here; where nobody tells, there is none."""
        own = DnsAnswer(_body(query.name, found), found.origin, time.monotonic())

        def better(rest: DnsAnswer) -> DnsAnswer:
            return own if rest.body.failed else rest

        rest = self._elsewhere(
            _key(query, query.name),
            query,
            client,
            allowed=True,
            deliver=lambda rest: deliver(better(rest)),
            inside=True,
        )
        return rest and better(rest)

    def _keep(self, here: IPv4Address, query: Query, found: Found) -> DnsAnswer:
        answer = DnsAnswer(_body(query.name, found), found.origin, by_leaders=found.by_leaders)
        if found.rcode is not Rcode.NXDOMAIN and not found.elsewhere:
            if len(self._own) >= _MOST_BODIES:
                self._own.clear()
            self._own[here, query.name, query.type] = answer
        return answer

    def _elsewhere(
        self, key: Key, query: Query, client: str, *, allowed: bool, deliver: Deliver, inside: bool = False
    ) -> DnsAnswer | None:
        if not allowed:
            return self._refuse(f"{client} is in no network of [dns] allow")
        if answer := self._recursion.remembered(key, time.monotonic()):
            self.counts["stale" if answer.stale else "cached"] += 1
            return answer
        if not query.recursive:
            return self._refuse("it is not remembered, and nobody may be asked (no RD)")
        self.counts["forwarded"] += 1
        self._recursion.ask(key, client, deliver, inside=inside)
        return None

    def _refuse(self, why: str) -> DnsAnswer:
        self.counts["refused"] += 1
        return refusal(Rcode.REFUSED, why, Ede.PROHIBITED)


def _pass_on(answer: DnsAnswer | None, deliver: Deliver) -> None:
    if answer is not None:
        deliver(answer)


def _key(query: Query, name: Name) -> Key:
    return Key(name, query.type, query.klass, query.do, bool(query.flags & CD))


def _body(name: Name, found: Found) -> Body:
    return body_with(name, found.rcode, found.answers, found.authorities, found.additional)


def _joined(query: Query, target: Name, found: Found, rest: DnsAnswer) -> DnsAnswer:
    """Return the fleet's CNAME with what it leads to."""
    asked = replace(query, asked=target + query.asked[-4:], name=target)
    now = time.monotonic()
    message = rest.reply(asked, now, limit=LONGEST_MESSAGE, recursion=True)
    body = body_followed_by(query.name, found.answers, message)
    return DnsAnswer(body, f"{found.origin}, then {rest.origin}", now, error=rest.error)
