"""Questions by UDP that come together: how many of them have their turn at once, and who gets which answer."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from types import SimpleNamespace

import pytest
from support.fleets import fleet_of
from support.machines import machine_of
from support.ports import free_port
from support.waiting import until

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.dns.cache import Entry, Key
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.servers.dns import recursion as recursion_module
from iluvatar_pxe.servers.dns import resolver, udp
from iluvatar_pxe.servers.dns.forwarder import Forwarder
from iluvatar_pxe.servers.dns.recursion import MOST_ANSWERS, Recursion
from iluvatar_pxe.servers.dns.server import DnsServer
from iluvatar_pxe.servers.dns.zones import Sources
from iluvatar_pxe.settings.model import DnsSettings
from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.name import Name, name_of
from iluvatar_pxe.wire.dns.query import make_query

COLD_AT_ONCE = 8
"""Questions that have to be read in one turn of the event loop, at most."""
HERE = Interface("lo", 1, IPv4Address("127.0.0.1"), IPv4Network("127.0.0.0/30"))
THERE = Interface("lan", 2, IPv4Address("127.0.0.5"), IPv4Network("127.0.0.4/30"))
ASKED = make_query(name_of("pxe.lab.home.arpa"), 1)


@dataclass
class Site:
    """A server at two addresses, which answers ``pxe.`` with the one that was asked."""

    server: DnsServer
    recursion: Recursion
    port: int
    client: socket.socket
    later: float = 0.0
    """Seconds that the server's clock is ahead."""

    def remember(self, name: Name) -> None:
        """Have an upstream answer with a TTL of 100 s, just now."""
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x64\0\4\xc0\0\2\1"
        entry = Entry(Body(0, (1, 0, 0), record, (6,), 100), "an upstream", self.now())
        self.recursion._answers.put(Key(name, 1, 1, do=False, cd=False), entry)

    def now(self) -> float:
        return time.monotonic() + self.later

    def counted(self, kind: str) -> int:
        count: int = self.server.statistics()["answers"].get(kind, 0)
        return count

    def ask(self, question: bytes, number: int = 0, interface: Interface = HERE) -> None:
        message = number.to_bytes(2) + question[2:]
        self.client.sendto(message, (str(interface.address), self.port))

    async def answered(self) -> dict[int, bytes]:
        """Return what has come, by id, once all questions were taken in."""
        done = -1
        while self.server.meter.requests != done:
            done = self.server.meter.requests
            for _ in range(10):
                await asyncio.sleep(0)
        replies: dict[int, bytes] = {}
        while True:
            try:
                reply = self.client.recv(4096)
            except BlockingIOError:
                return replies
            replies[int.from_bytes(reply[:2])] = reply[2:]


LEADING = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
API = make_query(name_of("api.arda.lab.home.arpa"), 1)


@dataclass
class Cluster:
    """Of two control planes that have joined."""

    alive: frozenset[IPv4Address] = frozenset()
    is_known: bool = False
    wanted: int = 0
    changed: Changed = field(default_factory=Changed)

    def want(self) -> bool:
        self.wanted += 1
        return self.is_known

    @property
    def sources(self) -> Sources:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        snapshot = Snapshot.of(
            machine_of(
                f"52:54:00:00:66:0{number}",
                assignment=Assignment(
                    name=f"arda-{number}", layer="arda", role=Role.CONTROLPLANE, rule="rule 1", at=at
                ),
                address=address,
                phase=Phase.JOINED,
            )
            for number, address in enumerate(LEADING)
        )
        fleet = fleet_of()
        return Sources(lambda: snapshot, lambda: fleet, lambda: self.alive, (self.changed,), None, self.want)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with ExitStack() as stack:
        client = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        client.bind(("127.0.0.1", 0))
        client.setblocking(False)  # noqa: FBT003 - its own word
        yield client


@pytest.fixture
async def site(
    client: socket.socket, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    port = free_port()
    recursion = Recursion(Forwarder(), lambda *_, **__: (), frozenset)
    server = DnsServer(
        DnsSettings(port=port, allow=(IPv4Network("127.0.0.1/32"),)),
        cluster.sources,
        recursion,
    )
    assert await server.serve([HERE, THERE]) == []
    running = asyncio.create_task(server.run())
    await until(lambda: server.listening)
    site = Site(server, recursion, port, client)
    for module in (udp, resolver, recursion_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=site.now))
    yield site
    server.close()
    running.cancel()
    await asyncio.wait([running])


async def test_few_that_have_to_be_read_have_their_turn_at_once_and_all_are_answered(site: Site) -> None:
    for number in range(30):
        site.ask(make_query(name_of(f"x{number}.lab.home.arpa"), 1), number)
    taken = [0]
    while taken[-1] < 30:
        await asyncio.sleep(0)
        taken.append(site.server.meter.requests)
    assert max(after - before for before, after in pairwise(taken)) <= COLD_AT_ONCE
    assert (await site.answered()).keys() == set(range(30))


async def test_what_lies_ready_is_answered_between_others_each_once(site: Site) -> None:
    site.ask(ASKED)
    whole = (await site.answered())[0]
    for number in range(60):
        asked = make_query(name_of(f"x{number}.lab.home.arpa"), 1) if number % 3 == 1 else ASKED
        site.ask(asked, number)
    replies = await site.answered()
    assert replies.keys() == set(range(60))
    assert [replies[number] == whole for number in range(60)] == [number % 3 != 1 for number in range(60)]
    assert site.server.statistics()["answers"]["hot"] >= 40


async def test_each_address_gives_its_own_answer_in_each_spelling(site: Site) -> None:
    name = name_of("pxe.lab.home.arpa")
    for number in range(20):
        spelled = name.replace(b"lab", b"LaB") if number % 4 > 1 else name
        site.ask(ASKED.replace(name, spelled), number, THERE if number % 2 else HERE)
    for number, reply in (await site.answered()).items():
        assert (b"LaB" in reply) == (number % 4 > 1)
        assert (b"\x7f\0\0\5" in reply, b"\x7f\0\0\1" in reply) == (number % 2 == 1, number % 2 == 0)


async def test_who_may_not_have_others_asked_gets_nothing_that_lies_ready_for_who_may(site: Site) -> None:
    site.ask(ASKED)
    await site.answered()
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(ASKED, (str(HERE.address), site.port))
        site.ask(ASKED)
        (mine,) = (await site.answered()).values()
        theirs = stranger.recv(4096)[2:]
    assert (mine[1] & 0x80, theirs[1] & 0x80) == (0x80, 0), "RA"
    assert mine[2:] == theirs[2:]


ELSEWHERE = name_of("www.example.com")
OLD = make_query(ELSEWHERE, 1)
TTL = slice(len(OLD) - 2 - 11 + 6, len(OLD) - 2 - 11 + 10)
"""Of the one record in an answer to that without its id; an OPT record of 11 octets ends the question."""


async def ttl(site: Site, question: bytes = OLD) -> int:
    site.ask(question)
    return int.from_bytes((await site.answered())[0][TTL])


async def test_what_is_remembered_counts_down_without_being_read_again(site: Site) -> None:
    site.remember(ELSEWHERE)
    assert await ttl(site) in {99, 100}
    read = site.counted("cached")
    for later, spelled in ((10, ELSEWHERE), (50, ELSEWHERE.upper()), (98, ELSEWHERE)):
        site.later = later
        assert await ttl(site, OLD.replace(ELSEWHERE, spelled)) in {100 - later, 99 - later}
    assert (site.counted("cached"), site.counted("hot")) == (read, 3)


async def test_what_is_remembered_is_asked_for_again_when_its_time_is_up(site: Site) -> None:
    site.remember(ELSEWHERE)
    await ttl(site)
    site.later = 101
    assert await ttl(site) == 30, "it is stale, and there is no upstream"
    assert site.counted("forwarded") == 1
    site.remember(ELSEWHERE)
    assert await ttl(site) in {99, 100}


async def test_what_was_forgotten_or_replaced_is_not_given_again(site: Site) -> None:
    site.remember(ELSEWHERE)
    await ttl(site)
    site.later = 10
    site.remember(ELSEWHERE)
    assert await ttl(site) in {99, 100}
    site.server.flush()
    site.ask(OLD)
    assert (await site.answered())[0][1] & 0xF == 2, "SERVFAIL"


async def test_who_is_asked_for_often_is_not_driven_out_though_nobody_reads_it(site: Site) -> None:
    site.remember(ELSEWHERE)
    await ttl(site)
    for number in range(3):
        for other in range(MOST_ANSWERS // 2):
            site.remember(name_of(f"x{number}-{other}.example.net"))
        site.later += 2
        assert await ttl(site) < 100
    assert site.counted("hot") == 3


async def leaders_told(site: Site) -> set[IPv4Address]:
    site.ask(API)
    replies = await site.answered()
    return {one for one in LEADING for reply in replies.values() if one.packed in reply}


async def test_who_asks_for_leaders_waits_until_they_were_asked(site: Site, cluster: Cluster) -> None:
    assert await leaders_told(site) == set()
    cluster.is_known, cluster.alive = True, frozenset(LEADING[:1])
    site.server.settle()
    assert not await site.answered(), "the zones do not tell it yet"
    cluster.changed.tell()
    await until(site.server.zones.know_leaders)
    (reply,) = (await site.answered()).values()
    assert (LEADING[0].packed in reply, LEADING[1].packed in reply) == (True, False)


async def test_it_is_noted_each_second_that_somebody_asks_for_leaders(site: Site, cluster: Cluster) -> None:
    cluster.is_known = True
    assert await leaders_told(site) == set(LEADING), "all, where none is alive"
    wanted = cluster.wanted
    assert await leaders_told(site) == set(LEADING)
    assert cluster.wanted == wanted
    site.later += 1.1
    cluster.is_known = False
    assert await leaders_told(site) == set(), "it is no longer known"
    assert cluster.wanted > wanted


async def test_so_many_wait_for_leaders_and_others_get_what_was_known_last(
    site: Site, cluster: Cluster
) -> None:
    for number in range(210):
        site.ask(API, number)
        await site.answered()
    assert await leaders_told(site) == set(LEADING)
    cluster.is_known = True
    site.server.settle()
    assert len(await site.answered()) == 200


async def test_a_listener_that_closes_within_a_batch_answers_no_more(site: Site) -> None:
    for number in range(30):
        site.ask(make_query(name_of(f"x{number}.lab.home.arpa"), 1), number)
    for _ in range(100):
        if site.server.meter.requests:
            break
        await asyncio.sleep(0)
    site.server.close()
    assert len(await site.answered()) == COLD_AT_ONCE
