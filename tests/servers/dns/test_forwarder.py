"""Several upstreams, of which some are slow, broken or away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import dnslib
import pytest
from support.liar import LOOPBACK, Liar, answer, failure
from support.ports import free_port
from support.waiting import until

from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.servers.dns.forwarder import MOST_OUT, Forwarder
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.message import rcode_of
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

QUERY = make_query(name_of("www.example.com"), 1)


@pytest.fixture
async def two() -> AsyncIterator[tuple[Liar, Liar]]:
    async with AsyncExitStack() as stack:
        liars = [await stack.enter_async_context(Liar().listen()) for _ in range(2)]
        liars[1].say = lambda query: [answer(query, "192.0.2.2")]
        yield liars[0], liars[1]


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    made = Forwarder()
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def ask(forwarder: Forwarder, *liars: Liar, seconds: float = 4.5) -> tuple[str, Upstream]:
    reply, upstream = await forwarder.ask(QUERY, [liar.upstream for liar in liars], seconds)
    return str(dnslib.DNSRecord.parse(reply).rr[0].rdata), upstream


async def test_one_is_asked_and_the_other_is_not(forwarder: Forwarder, two: tuple[Liar, Liar]) -> None:
    assert await ask(forwarder, *two) == ("192.0.2.1", two[0].upstream)
    assert two[1].asked == []


async def test_where_the_first_says_nothing_the_second_answers(
    forwarder: Forwarder, two: tuple[Liar, Liar]
) -> None:
    two[0].say = lambda _query: []
    assert await ask(forwarder, *two) == ("192.0.2.2", two[1].upstream)
    assert two[0].asked, "it was asked first, and given up when the other had answered"


async def test_one_that_says_nothing_is_not_waited_for_each_time(
    forwarder: Forwarder, two: tuple[Liar, Liar]
) -> None:
    two[0].say = lambda _query: []
    for _ in range(5):
        assert await ask(forwarder, *two) == ("192.0.2.2", two[1].upstream)
    assert len(two[0].asked) == 1
    assert forwarder.statistics[str(two[0].upstream)]["ms"] is None, "nobody knows"


async def test_an_upstream_that_stays_away_is_no_fault_of_this_daemon(forwarder: Forwarder) -> None:
    away = Upstream(LOOPBACK, free_port())
    for _ in range(1100):
        with pytest.raises(ResolveError, match="refused"):
            await forwarder.ask(QUERY, [away])


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
async def test_where_the_first_cannot_tell_the_second_is_asked_at_once(
    forwarder: Forwarder, two: tuple[Liar, Liar], rcode: int
) -> None:
    two[0].say = lambda query: [failure(query, rcode)]
    assert await ask(forwarder, *two) == ("192.0.2.2", two[1].upstream)


async def test_that_there_is_no_such_name_is_an_answer(forwarder: Forwarder, two: tuple[Liar, Liar]) -> None:
    two[0].say = lambda query: [failure(query, 3)]
    reply, upstream = await forwarder.ask(QUERY, [liar.upstream for liar in two])
    assert (rcode_of(reply), upstream, two[1].asked) == (3, two[0].upstream, [])


async def test_where_none_can_tell_their_failure_is_the_answer(
    forwarder: Forwarder, two: tuple[Liar, Liar]
) -> None:
    for liar in two:
        liar.say = lambda query: [failure(query, 2)]
    reply, _ = await forwarder.ask(QUERY, [liar.upstream for liar in two])
    assert (rcode_of(reply), len(two[0].asked), len(two[1].asked)) == (2, 2, 2), "with EDNS and without"


async def test_where_none_answers_the_error_names_them(forwarder: Forwarder) -> None:
    away = [Upstream(LOOPBACK, free_port()) for _ in range(2)]
    with pytest.raises(ResolveError) as caught:
        await forwarder.ask(QUERY, away)
    assert all(str(upstream) in str(caught.value) for upstream in away)
    with pytest.raises(ResolveError, match="no upstream"):
        await forwarder.ask(QUERY, [])


async def test_one_that_failed_is_asked_last_from_then_on(
    forwarder: Forwarder, two: tuple[Liar, Liar]
) -> None:
    away, here = Upstream(LOOPBACK, free_port()), two[1].upstream
    for _ in range(3):
        assert (await forwarder.ask(QUERY, [away, here]))[1] == here
    statistics = forwarder.statistics
    assert (statistics[str(away)]["asked"], statistics[str(away)]["failed"]) == (1, 1)
    assert statistics[str(here)] | {"ms": None} == {"asked": 3, "answered": 3, "failed": 0, "ms": None}
    assert statistics[str(here)]["ms"] >= 0


async def test_questions_that_are_out_are_bounded(forwarder: Forwarder, two: tuple[Liar, Liar]) -> None:
    two[0].say = lambda _query: []
    upstreams = [two[0].upstream]
    waiting = [asyncio.create_task(forwarder.ask(QUERY, upstreams)) for _ in range(MOST_OUT)]
    await until(lambda: forwarder._out == MOST_OUT)
    with pytest.raises(ResolveError, match="too many questions"):
        await forwarder.ask(QUERY, upstreams)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert forwarder._out == 0
