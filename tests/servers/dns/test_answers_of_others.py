"""What is made of upstreams' answers: remembered, forgotten, or dropped."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import dnslib
import pytest
from structlog.testing import capture_logs
from support.liar import Liar, answer, failure

from iluvatar_pxe.dns.admission import Bounds
from iluvatar_pxe.dns.cache import Key
from iluvatar_pxe.servers.dns import recursion as recursion_module
from iluvatar_pxe.servers.dns.answer import DnsAnswer
from iluvatar_pxe.servers.dns.forwarder import Forwarder
from iluvatar_pxe.servers.dns.recursion import Recursion
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.types import Ede, Rcode

INNER = frozenset({name_of("fritz.box")})


def key(text: str) -> Key:
    return Key(name_of(text), 1, 1, do=False, cd=False)


class Bench:
    """A recursion that asks one upstream, from which it also learns what is inside."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar
        self.recursion = Recursion(Forwarder(), self._choose, lambda: INNER)

    def _choose(self, *_: Any, **__: Any) -> tuple[Upstream, ...]:
        return (self.liar.upstream,)

    async def ask(self, text: str) -> DnsAnswer:
        later: asyncio.Future[DnsAnswer] = asyncio.get_running_loop().create_future()
        self.recursion.ask(key(text), "127.0.0.1", later.set_result)
        return await later


@asynccontextmanager
async def _running(recursion: Recursion) -> AsyncIterator[None]:
    running = asyncio.create_task(recursion.run())
    await asyncio.sleep(0)
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Liar().listen() as liar:
        bench = Bench(liar)
        async with _running(bench.recursion):
            yield bench


async def test_what_is_settled_makes_room_for_the_next_question_below_its_domain(bench: Bench) -> None:
    for number in range(Bounds().domain + 1):
        found = await bench.ask(f"n{number}.example.com")
        assert (found.body.rcode, found.body.counts[0]) == (Rcode.NOERROR, 1), number
    assert len(bench.liar.asked) == 61


def gone(query: bytes) -> bytes:
    reply = dnslib.DNSRecord.parse(failure(query, 3))
    reply.add_auth(*dnslib.RR.fromZone("example.com. 0 SOA ns.example.com. root.example.com. 1 2 3 4 0"))
    return bytes(reply.pack())


async def test_a_name_that_became_none_does_not_come_back_when_the_upstream_dies(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recursion_module, "CLIENT_PATIENCE", 0.05)
    assert (await bench.ask("www.example.com")).body.counts[0] == 1
    bench.liar.say = lambda query: [gone(query)]
    assert (await bench.ask("www.example.com")).body.rcode == Rcode.NXDOMAIN
    bench.liar.say = lambda query: [failure(query, 2)]
    found = await bench.ask("www.example.com")
    assert (found.body.rcode, found.stale) == (Rcode.SERVFAIL, False)


async def test_an_upstream_that_failed_is_left_alone_for_half_a_minute(bench: Bench) -> None:
    def short(query: bytes) -> list[bytes]:
        reply = dnslib.DNSRecord.parse(query).reply()
        reply.add_answer(*dnslib.RR.fromZone("www.example.com. 1 A 192.0.2.1"))
        return [bytes(reply.pack())]

    bench.liar.say = short
    await bench.ask("www.example.com")
    asked = time.monotonic() + 2
    assert bench.recursion.remembered(key("www.example.com"), asked) is None, "it has expired"
    bench.liar.say = lambda query: [failure(query, 2)]
    before = time.monotonic()
    assert (await bench.ask("www.example.com")).stale
    after = time.monotonic()
    old = bench.recursion.remembered(key("www.example.com"), before + 29.9)
    assert old
    assert (old.stale, old.body.counts[0]) == (True, 1)
    assert bench.recursion.remembered(key("www.example.com"), after + 30.1) is None, "it is asked again"


@pytest.mark.parametrize("address", ["192.168.1.1", "127.0.0.1", "0.0.0.0", "100.64.0.1"])
async def test_a_public_name_has_no_private_address(bench: Bench, address: str) -> None:
    bench.liar.say = lambda query: [answer(query, address)]
    with capture_logs() as log:
        found = await bench.ask("rebind.example.com")
    assert (found.body.rcode, found.body.counts, found.error) == (Rcode.NOERROR, (0, 0, 0), Ede.BLOCKED)
    assert address in found.origin
    told = [line for line in log if line["event"] == "dns.rebinding"]
    assert all(
        line["name"] == "rebind.example.com" and "privateDomains in fleet.yaml" in line["why"]
        for line in told
    )
    assert bench.recursion.size["entries"] == 0, "the next answer may be honest"


async def test_a_public_name_that_leads_to_an_inner_one_has_none_either(bench: Bench) -> None:
    def say(query: bytes) -> list[bytes]:
        reply = dnslib.DNSRecord.parse(query).reply()
        reply.add_answer(
            *dnslib.RR.fromZone("evil.example.com. 60 CNAME fritz.box.\nfritz.box. 60 A 192.168.178.1")
        )
        return [bytes(reply.pack())]

    bench.liar.say = say
    assert (await bench.ask("evil.example.com")).error == Ede.BLOCKED


@pytest.mark.parametrize("text", ["nas.fritz.box", "nas.lan", "nas.home.arpa"])
async def test_a_name_of_the_network_itself_has_one(bench: Bench, text: str) -> None:
    bench.liar.say = lambda query: [answer(query, "192.168.1.5")]
    assert (await bench.ask(text)).body.counts[0] == 1
