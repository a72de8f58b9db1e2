"""A model client and the transfer, joined in memory by a link that loses, delays and duplicates."""

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, cycle
from random import Random
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.wire.tftp.options import Terms
from iluvatar_pxe.wire.tftp.packet import Ack, Data, OptionAck, decode, encode
from iluvatar_pxe.wire.tftp.transfer import Ending, Outcome, ReadTransfer

OPTIONS = (("blksize", "8"),)
Fates = Sequence[Sequence[float]]
Event = tuple[float, Callable[[], None]]
PERFECT: Fates = ((0.001,),)
"""A fate is the list of delays after which copies of a datagram arrive; the empty one loses it."""


class Client:
    """RFC 7440's receiver: acknowledges full windows and gaps, repeats itself when nothing comes."""

    PATIENCE = 6

    def __init__(self, terms: Terms, *, eager: bool) -> None:
        self.terms = terms
        self.eager = eager  # acknowledges every block that it has already
        self.data = bytearray()
        self.blocks = self.acknowledged = 0
        self.complete = self.gave_up = False
        self.silences = 0
        self.deadline: float | None = 1.5

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        packet = decode(datagram)
        if isinstance(packet, OptionAck):
            return [] if self.blocks else self.acknowledge(now)
        assert isinstance(packet, Data)
        ahead = (packet.block - self.blocks) & 0xFFFF
        if ahead == 1 and not self.complete:
            return self.take(packet.payload, now)
        if ahead >= 0x8000 or ahead == 0 or self.complete:
            return self.acknowledge(now) if self.eager or self.complete else []
        return self.acknowledge(now)

    def take(self, payload: bytes, now: float) -> list[bytes]:
        self.data += payload
        self.blocks += 1
        self.silences = 0
        self.deadline = now + 1.5
        self.complete = len(payload) < self.terms.blksize
        full = self.blocks - self.acknowledged >= self.terms.windowsize
        return self.acknowledge(now) if full or self.complete else []

    def acknowledge(self, now: float) -> list[bytes]:
        self.acknowledged = self.blocks
        self.deadline = now + 1.5
        return [encode(Ack(self.blocks & 0xFFFF))]

    def expire(self, now: float) -> list[bytes]:
        self.silences += 1
        self.gave_up = self.silences > self.PATIENCE
        if self.complete or self.gave_up:
            self.deadline = None
            return []
        return self.acknowledge(now)


class Link:
    """Runs both ends until nothing can happen any more; ``fates`` are used in turn, for ever."""

    def __init__(
        self,
        data: bytes,
        terms: Terms,
        *,
        to_client: Fates = PERFECT,
        to_server: Fates = PERFECT,
        disk: float = 0.0,
        eager: bool = False,
    ) -> None:
        self.data = data
        self.server = ReadTransfer(len(data), terms)
        self.client = Client(terms, eager=eager)
        self.fates = {"client": cycle(to_client), "server": cycle(to_server)}
        self.disk = disk
        self.reading = False
        self.sent: list[int] = []  # block numbers of all DATA
        self.now = 0.0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()

    def run(self) -> Self:
        self.settle()
        while (event := self.next_event()) is not None:
            self.now = max(self.now, event[0])
            event[1]()
            self.settle()
        return self

    @property
    def ending(self) -> Ending:
        assert self.server.ending is not None
        return self.server.ending

    def next_event(self) -> Event | None:
        timers: list[Event] = []
        if (deadline := self.server.deadline()) is not None:
            timers.append((deadline, lambda: self.server.expire(self.now)))
        if (deadline := self.client.deadline) is not None:
            timers.append((deadline, lambda: self.travel("server", self.client.expire(self.now))))
        timer = min(timers, default=None, key=lambda event: event[0])
        if self.queue and (timer is None or self.queue[0][0] <= timer[0]):
            time, _, deliver = heapq.heappop(self.queue)
            return time, deliver
        return timer

    def settle(self) -> None:
        wanted = self.server.wanted()
        if wanted and not self.reading:
            self.reading = True
            self.at(self.now + self.disk, lambda: self.supply(wanted))
        datagrams = self.server.datagrams_to_send(self.now)
        self.sent += [packet.block for packet in map(decode, datagrams) if isinstance(packet, Data)]
        self.travel("client", datagrams)

    def supply(self, wanted: tuple[int, int]) -> None:
        offset, length = wanted
        self.reading = False
        self.server.supply(offset, self.data[offset : offset + length])

    def travel(self, to: str, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            for delay in next(self.fates[to]):
                self.at(self.now + delay, partial(self.arrive, to, datagram))

    def arrive(self, to: str, datagram: bytes) -> None:
        if to == "server":
            self.server.receive(datagram)
        else:
            self.travel("server", self.client.receive(datagram, self.now))

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (time, next(self.order), action))


def content(size: int) -> bytes:
    return Random(size).randbytes(size)


FATES = st.lists(
    st.lists(st.sampled_from([0.001, 0.002, 0.01, 0.3, 2.5]), max_size=2), min_size=1, max_size=12
)


@settings(max_examples=150)
@given(
    size=st.integers(0, 600),
    windowsize=st.sampled_from([1, 1, 2, 3, 8, 64]),
    options=st.booleans(),
    to_client=FATES,
    to_server=FATES,
    disk=st.sampled_from([0.0, 0.0, 0.4]),
    eager=st.booleans(),
)
def test_the_client_gets_the_exact_bytes_or_both_give_up(
    *, size: int, windowsize: int, options: bool, to_client: Fates, to_server: Fates, disk: float, eager: bool
) -> None:
    data = content(size)
    terms = Terms(8, windowsize, None, OPTIONS if options or windowsize > 1 else ())
    link = Link(data, terms, to_client=to_client, to_server=to_server, disk=disk, eager=eager).run()
    client, ending = link.client, link.ending
    assert data.startswith(client.data)
    assert client.complete or client.gave_up
    if client.complete:
        assert client.data == data
    assert ending.outcome in (Outcome.DONE, Outcome.TIMEOUT)
    if ending.outcome is Outcome.DONE:
        assert client.complete
        assert ending.bytes == size
    else:
        assert ending.bytes <= len(client.data)


def losing(share: float, seed: int) -> Fates:
    chance = Random(seed)
    return [() if chance.random() < share else (0.001,) for _ in range(997)]


@settings(max_examples=100)
@given(
    size=st.integers(0, 600),
    windowsize=st.sampled_from([1, 2, 8, 64]),
    seed=st.integers(0, 10**6),
    eager=st.booleans(),
)
def test_a_link_that_loses_one_in_fifty_only_slows_down(
    *, size: int, windowsize: int, seed: int, eager: bool
) -> None:
    terms = Terms(8, windowsize, None, OPTIONS)
    to_client, to_server = losing(0.02, seed), losing(0.02, seed + 1)
    link = Link(content(size), terms, to_client=to_client, to_server=to_server, eager=eager).run()
    assert link.client.data == link.data
    assert link.ending.outcome is Outcome.DONE


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("to_server", [PERFECT, ((0.001, 0.001),), ((0.001, 0.0015, 0.5),)])
def test_windowsize_one_sends_each_block_once_however_often_acks_arrive(
    *, to_server: Fates, eager: bool
) -> None:
    link = Link(content(8 * 300), Terms(8, 1, None, OPTIONS), to_server=to_server, eager=eager).run()
    assert link.sent == list(range(1, 302))
    assert link.client.data == link.data


@pytest.mark.parametrize("eager", [False, True])
def test_windowsize_one_repeats_a_block_only_for_a_loss(*, eager: bool) -> None:
    losses = [(0.001,)] * 40 + [()]
    link = Link(content(8 * 400), Terms(8, 1, None, OPTIONS), to_client=losses, eager=eager).run()
    lost = len(link.sent) // 41
    assert len(link.sent) <= 401 + lost + 1
    assert link.client.data == link.data


@pytest.mark.parametrize("windowsize", [2, 4, 16, 64])
def test_one_duplicated_ack_repeats_one_window_at_most(windowsize: int) -> None:
    once = [(0.001,), (0.001, 0.001)] + [(0.001,)] * 100_000
    link = Link(content(8 * 1000), Terms(8, windowsize, None, OPTIONS), to_server=once, eager=True).run()
    assert link.client.data == link.data
    assert len(link.sent) <= 1001 + windowsize


@pytest.mark.parametrize("windowsize", [2, 4, 16, 64])
def test_every_ack_duplicated_at_most_doubles_the_traffic(windowsize: int) -> None:
    link = Link(
        content(8 * 1000), Terms(8, windowsize, None, OPTIONS), to_server=((0.001, 0.001),), eager=True
    ).run()
    assert link.client.data == link.data
    assert len(link.sent) <= 2 * 1001


def test_a_window_of_one_loss_each_costs_no_timeout() -> None:
    """RFC 7440's point: a gap is acknowledged at once and the transfer resumes there."""
    lost_once = [(0.001,)] * 20 + [()] + [(0.001,)] * 100_000
    link = Link(content(8 * 100), Terms(8, 8, None, OPTIONS), to_client=lost_once).run()
    assert link.client.data == link.data
    assert len(link.sent) <= 101 + 8


@pytest.mark.parametrize(("windowsize", "seed"), [(1, 1), (16, 2)])
def test_losses_around_the_rollover(windowsize: int, seed: int) -> None:
    terms = Terms(8, windowsize, None, OPTIONS)
    to_client, to_server = losing(0.002, seed), losing(0.002, seed + 1)
    link = Link(content(8 * 65600 + 3), terms, to_client=to_client, to_server=to_server).run()
    assert link.client.data == link.data
    assert link.ending.outcome is Outcome.DONE
