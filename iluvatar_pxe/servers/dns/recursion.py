"""Answers that others have to give: from memory, or from an upstream, which is asked once however many clients wait."""

import asyncio
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from iluvatar_pxe.dns.admission import Admission, Bounds
from iluvatar_pxe.dns.cache import Cache, Entry, Key
from iluvatar_pxe.dns.rebinding import may_be_private, private_among
from iluvatar_pxe.errors import ResolveError, WireError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.dns.answer import DnsAnswer, refusal
from iluvatar_pxe.servers.dns.forwarder import Forwarder
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.message import Body, addresses_in, body_of
from iluvatar_pxe.wire.dns.name import Name, text_of
from iluvatar_pxe.wire.dns.query import make_query
from iluvatar_pxe.wire.dns.types import Ede, Rcode

MOST_ANSWERS, ANSWER_OCTETS = 10_000, 16 << 20
MOST_NOES, NO_OCTETS = 5_000, 4 << 20
"""Names that are not there have their own place, so that random ones do not drive out what is used."""
CLIENT_PATIENCE = 1.8
"""Seconds after which an old answer is given while a new one is waited for (RFC 8767, 5)."""
FAILURE_RECHECK = 30.0
"""Seconds for which an old answer is given without asking again, once no upstream could be reached."""
_FAILURE_TTL = 1
"""Seconds that a failure is remembered (RFC 9520, 3.2)."""
_MOST_WAITING = 200
"""Clients that wait for one answer."""

_log = structlog.get_logger()

Deliver = Callable[[DnsAnswer], None]


class Choose(Protocol):
    """Returns the upstreams for a client's question; with ``inside`` only those in private networks."""

    def __call__(self, client: str, name: Name, *, inside: bool) -> tuple[Upstream, ...]:
        """Return them now, in the order of asking."""


@dataclass(eq=False)
class _Flight:
    """A question that is out."""

    key: Key
    client: str
    waiting: list[Deliver] = field(default_factory=list)

    def settle(self, answer: DnsAnswer) -> None:
        waiting, self.waiting = self.waiting, []
        for deliver in waiting:
            deliver(answer)


class Recursion:
    """Belongs to one event loop; ``ask`` needs ``run`` to be running."""

    def __init__(
        self, forwarder: Forwarder, upstreams: Choose, inner_domains: Callable[[], Container[Name]]
    ) -> None:
        """``inner_domains`` returns those whose names may have private addresses."""
        self._forwarder = forwarder
        self._upstreams = upstreams
        self._inner_domains = inner_domains
        self._answers = Cache(MOST_ANSWERS, ANSWER_OCTETS)
        self._noes = Cache(MOST_NOES, NO_OCTETS)
        self._admission = Admission(Bounds())
        self._flights: dict[tuple[Key, tuple[Upstream, ...]], _Flight] = {}
        self._group: asyncio.TaskGroup | None = None

    @property
    def size(self) -> dict[str, int]:
        """How many answers and octets are remembered, and how many questions are out."""
        caches = self._answers, self._noes
        return {
            "entries": sum(map(len, caches)),
            "octets": sum(cache.octets for cache in caches),
            "outstanding": len(self._flights),
        }

    @property
    def statistics(self) -> dict[str, Any]:
        """What was asked of each upstream."""
        return self._forwarder.statistics

    async def run(self) -> None:
        """Ask upstreams until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            await self._forwarder.run()

    def flush(self) -> int:
        """Forget all answers; return how many there were."""
        entries = self.size["entries"]
        self._answers.clear()
        self._noes.clear()
        return entries

    def remembered(self, key: Key, now: float) -> DnsAnswer | None:
        """Return what is known without asking: what is good, or what may be given beyond its time now."""
        entry = self._entry(key, now)
        if entry is None:
            return None
        if entry.fresh(now):
            return DnsAnswer(entry.body, entry.origin, entry.stored, cached=True)
        return _stale(entry) if now < entry.retry_at else None

    def remembers(self, key: Key, body: Body, now: float) -> bool:
        """Say whether this very answer is still remembered, and good; it counts as used."""
        entry = self._entry(key, now)
        return entry is not None and entry.body is body and entry.fresh(now)

    def ask(self, key: Key, client: str, deliver: Deliver, *, inside: bool = False) -> None:
        """Ask for an answer, and deliver it: now, or later. ``inside``: nobody outside of private networks is asked."""
        upstreams = self._upstreams(client, key.name, inside=inside)
        flight = self._flights.get((key, upstreams))
        if flight and len(flight.waiting) < _MOST_WAITING:
            flight.waiting.append(deliver)
        elif flight or self._group is None or not upstreams or not self._admission.enter(client, key.name):
            deliver(self._instead(key, "no upstream resolver" if not upstreams else "too many questions"))
        else:
            flight = self._flights[key, upstreams] = _Flight(key, client, [deliver])
            self._group.create_task(self._fly(flight, upstreams))

    async def _fly(self, flight: _Flight, upstreams: tuple[Upstream, ...]) -> None:
        timer = asyncio.get_running_loop().call_later(CLIENT_PATIENCE, self._give_stale, flight)
        answer = refusal(Rcode.SERVFAIL, "a fault of this daemon; see its log")
        try:
            answer = await self._fetch(flight.key, upstreams)
        except Exception as error:  # noqa: BLE001 - the last resort: one question must not stop the server
            _log.error("dns.failed", name=text_of(flight.key.name), error=repr(error))
        finally:
            timer.cancel()
            del self._flights[flight.key, upstreams]
            self._admission.leave(flight.client, flight.key.name)
        flight.settle(answer)

    async def _fetch(self, key: Key, upstreams: tuple[Upstream, ...]) -> DnsAnswer:
        question = make_query(key.name, key.type, do=key.do, cd=key.cd)
        try:
            reply, upstream = await self._forwarder.ask(question, upstreams)
            if why := self._rebinds(key, reply):
                complain("dns.rebinding", name=text_of(key.name), upstream=str(upstream), why=why)
                return self._learn(key, Body(Rcode.NOERROR), f"{upstream}: {why}", Ede.BLOCKED)
            body = body_of(reply)
            origin = f"{upstream} cannot tell" if body.failed else str(upstream)
        except (ResolveError, WireError) as error:
            complain("dns.unanswered", name=text_of(key.name), why=str(error))
            body, origin = Body(Rcode.SERVFAIL), str(error)
        reason = Ede.NO_REACHABLE_AUTHORITY if body.rcode == Rcode.SERVFAIL else None
        return self._learn(key, body, origin, reason)

    def _rebinds(self, key: Key, reply: bytes) -> str:
        """Return why an answer must not be passed on; nothing where it may. Raises WireError."""
        address = private_among(addresses_in(reply))
        if address is None or may_be_private(key.name, self._inner_domains()):
            return ""
        return f"its answer {address} is private, and was dropped; to allow it, add the domain to privateDomains in fleet.yaml"

    def _learn(self, key: Key, body: Body, origin: str, error: Ede | None) -> DnsAnswer:
        """Remember what an upstream said, unless an old answer is better than that."""
        now = time.monotonic()
        if body.failed:
            if old := self._old(key, now):
                old.retry_at = now + FAILURE_RECHECK
                return _stale(old)
            body = replace(body, ttl=_FAILURE_TTL)
        for cache in (self._answers, self._noes):
            cache.remove(key)
        if body.ttl:
            cache = self._answers if body.counts[0] else self._noes
            cache.put(key, Entry(body, origin, now))
        return DnsAnswer(body, origin, now, error=error)

    def _give_stale(self, flight: _Flight) -> None:
        """Let clients wait no longer; the question stays out, and its answer is remembered."""
        if old := self._old(flight.key, time.monotonic()):
            flight.settle(_stale(old))

    def _instead(self, key: Key, why: str) -> DnsAnswer:
        old = self._old(key, time.monotonic())
        return _stale(old) if old else refusal(Rcode.SERVFAIL, why, Ede.NO_REACHABLE_AUTHORITY)

    def _old(self, key: Key, now: float) -> Entry | None:
        """Return what may be given beyond its time: everything but a failure."""
        entry = self._entry(key, now)
        return entry if entry and not entry.body.failed else None

    def _entry(self, key: Key, now: float) -> Entry | None:
        return self._answers.get(key, now) or self._noes.get(key, now)


def _stale(entry: Entry) -> DnsAnswer:
    return DnsAnswer(entry.body, entry.origin, entry.stored, stale=True, error=Ede.STALE_ANSWER, cached=True)
