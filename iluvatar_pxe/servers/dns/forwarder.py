"""A question to the best of several upstreams, and to the next one where that takes long: the first answer counts."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from iluvatar_pxe.dns.inquiry import Abilities
from iluvatar_pxe.dns.ranking import Ranking
from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.servers.dns.exchange import ask_udp
from iluvatar_pxe.servers.dns.tls import TlsUpstreams
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.message import rcode_of
from iluvatar_pxe.wire.dns.query import wants_signatures
from iluvatar_pxe.wire.dns.types import TELLING

SECONDS = 4.5
"""For all attempts together: a client's own patience is 5 s (resolv.conf(5))."""
MOST_OUT = 500
"""Questions that are out, to all upstreams together: each takes a socket."""


@dataclass(slots=True)
class _Count:
    asked: int = 0
    answered: int = 0
    failed: int = 0


class _Outcome(Struct, frozen=True):
    """What came of asking one upstream: an answer, or why there is none."""

    upstream: Upstream
    reply: bytes = b""
    why: str = ""

    @property
    def usable(self) -> bool:
        return bool(self.reply) and rcode_of(self.reply) in TELLING


class Forwarder:
    """``ask`` needs ``run`` to be running."""

    def __init__(self) -> None:
        self._ranking = Ranking()
        self._tls = TlsUpstreams()
        self._counts: dict[Upstream, _Count] = {}
        self._abilities: defaultdict[tuple[Upstream, bool], Abilities] = defaultdict(Abilities)
        """By upstream, for questions without and with DO."""
        self._out = 0

    @property
    def statistics(self) -> dict[str, Any]:
        """By upstream: how often it was asked, answered and failed, and in how many milliseconds it answers."""
        return {str(upstream): self._described(upstream) for upstream in self._counts}

    async def run(self) -> None:
        """Keep connections until cancelled."""
        await self._tls.run()

    async def ask(
        self, query: bytes, upstreams: Sequence[Upstream], seconds: float = SECONDS
    ) -> tuple[bytes, Upstream]:
        """Return an answer, and who gave it; where all of them fail to find one, the first that says so.

        Raises ResolveError where none answers, or where too many questions are out.
        """
        outcomes: list[_Outcome] = []
        async with asyncio.TaskGroup() as group:
            deadline = time.monotonic() + seconds
            waiting: set[asyncio.Task[_Outcome]] = set()
            left = self._ranking.order(upstreams, time.monotonic())
            while left or waiting:
                patience = None
                if left:
                    upstream = left.pop(0)
                    waiting.add(group.create_task(self._try(upstream, query, deadline)))
                    patience = self._ranking.patience(upstream) if left else None
                done, waiting = await asyncio.wait(
                    waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                outcomes += [task.result() for task in done]
                if any(outcome.usable for outcome in outcomes):
                    break
            for task in waiting:
                task.cancel()
        return _best(outcomes)

    async def _try(self, upstream: Upstream, query: bytes, deadline: float) -> _Outcome:
        if self._out >= MOST_OUT:
            return _Outcome(upstream, why="too many questions are out")
        count = self._counts.setdefault(upstream, _Count())
        count.asked += 1
        self._out += 1
        start = time.monotonic()
        try:
            reply = await self._ask(upstream, query, max(deadline - start, 0))
        except ResolveError as error:
            count.failed += 1
            self._ranking.failed(upstream, time.monotonic())
            return _Outcome(upstream, why=str(error))
        except asyncio.CancelledError:
            self._ranking.overtaken(upstream, time.monotonic() - start)
            raise
        finally:
            self._out -= 1
        count.answered += 1
        self._ranking.answered(upstream, time.monotonic() - start)
        return _Outcome(upstream, reply)

    async def _ask(self, upstream: Upstream, query: bytes, seconds: float) -> bytes:
        if upstream.tls:
            return await self._tls.ask(upstream, query, seconds)
        abilities = self._abilities[upstream, wants_signatures(query)]
        return await ask_udp(upstream, query, seconds, abilities)

    def _described(self, upstream: Upstream) -> dict[str, Any]:
        count = self._counts[upstream]
        seconds = self._ranking.seconds(upstream) if count.answered else None
        milliseconds = None if seconds is None else round(seconds * 1000, 1)
        return {
            "asked": count.asked,
            "answered": count.answered,
            "failed": count.failed,
            "ms": milliseconds,
        }


def _best(outcomes: Sequence[_Outcome]) -> tuple[bytes, Upstream]:
    replies = [outcome for outcome in outcomes if outcome.reply]
    best = next((one for one in replies if one.usable), None) or next(iter(replies), None)
    if best is None:
        raise ResolveError("; ".join(outcome.why for outcome in outcomes) or "there is no upstream resolver")
    return best.reply, best.upstream
