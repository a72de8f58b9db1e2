"""The simulated firmware's TFTP receiver, beside our own sender and packet by packet."""

import heapq
from collections.abc import Sequence
from itertools import count, cycle
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.simulate.tftp_download import Download, Manner, Outcome
from iluvatar_pxe.simulate.timings import (
    BIOS_FILE,
    EARLY_TERMINATE,
    IPXE_FILE,
    UEFI_FILE,
    UEFI_SIZE,
    pi_manner,
)
from iluvatar_pxe.wire.tftp.options import Limits, negotiate
from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, OptionAck, Packet, ReadRequest, decode, encode
from iluvatar_pxe.wire.tftp.transfer import ReadTransfer

SERVER, TID = ("10.0.0.2", 69), ("10.0.0.2", 40000)
PLAIN = Manner()
LIMITS = Limits(1468, 64)
Fates = Sequence[Sequence[float]]
PERFECT: Fates = ((0.001,),)


def asked(manner: Manner = PLAIN) -> Download:
    download = Download("nbp", SERVER, manner, 0.0)
    assert sent(download) == [ReadRequest("nbp", "octet", manner.options)]
    return download


def sent(download: Download) -> list[Packet]:
    return [decode(data) for data, _ in download.datagrams_to_send()]


def told(download: Download, packet: Packet, peer: tuple[str, int] = TID, now: float = 0.0) -> list[Packet]:
    download.receive(encode(packet), peer, now)
    return sent(download)


class Link:
    """The receiver and our sender, until nothing can happen any more."""

    def __init__(self, data: bytes, manner: Manner, to_client: Fates, to_server: Fates) -> None:
        self.data, self.manner = data, manner
        self.download = Download("nbp", SERVER, manner, 0.0)
        self.transfer: ReadTransfer | None = None
        self.fates = {"client": cycle(to_client), "server": cycle(to_server)}
        self.queue: list[tuple[float, int, str, bytes]] = []
        self.order, self.now, self.requests = count(), 0.0, 0

    def run(self) -> Download:
        self._settle()
        while (due := self._next()) is not None:
            self.now = max(self.now, due)
            if self.queue and self.queue[0][0] <= self.now:
                _, _, to, datagram = heapq.heappop(self.queue)
                self._arrive(to, datagram)
            else:
                self.download.expire(self.now)
                if self.transfer:
                    self.transfer.expire(self.now)
            self._settle()
        return self.download

    def _next(self) -> float | None:
        times = [self.download.deadline(), self.transfer.deadline() if self.transfer else None]
        times += [self.queue[0][0]] if self.queue else []
        return min((time for time in times if time is not None), default=None)

    def _arrive(self, to: str, datagram: bytes) -> None:
        if to == "client":
            self.download.receive(datagram, TID, self.now)
            return
        packet = decode(datagram)
        if isinstance(packet, ReadRequest):
            self.requests += 1
            terms = negotiate(packet.options, len(self.data), LIMITS)
            self.transfer = self.transfer or ReadTransfer(len(self.data), terms)
        elif self.transfer:
            self.transfer.receive(datagram)

    def _settle(self) -> None:
        for data, _ in self.download.datagrams_to_send():
            self._travel("server", data)
        if self.transfer:
            while wanted := self.transfer.wanted():
                self.transfer.supply(wanted[0], self.data[wanted[0] : sum(wanted)])
            for data in self.transfer.datagrams_to_send(self.now):
                self._travel("client", data)

    def _travel(self, to: str, datagram: bytes) -> None:
        for delay in next(self.fates[to]):
            heapq.heappush(self.queue, (self.now + delay, next(self.order), to, datagram))


MANNERS = [UEFI_FILE, BIOS_FILE, IPXE_FILE, Manner(), pi_manner(("tsize", "0"), ("blksize", "1468"))]


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("size", [0, 1, 511, 512, 1468, 1468 * 4, 1468 * 9 + 5])
def test_every_manner_fetches_every_size(manner: Manner, size: int) -> None:
    data = Random(size).randbytes(size)
    link = Link(data, manner, PERFECT, PERFECT)
    download = link.run()
    assert (download.outcome, download.content.size) == (Outcome.DONE, size)
    assert download.content.head == data[: len(download.content.head)]
    assert link.requests == 1


FATES = st.lists(st.lists(st.sampled_from([0.001, 0.1, 0.4]), max_size=2), min_size=1, max_size=11)


@settings(max_examples=200, deadline=None)
@given(manner=st.sampled_from(MANNERS), size=st.integers(0, 20_000), to_client=FATES, to_server=FATES)
def test_whatever_is_lost_it_has_the_exact_bytes_or_gives_up(
    manner: Manner, size: int, to_client: Fates, to_server: Fates
) -> None:
    data = Random(size).randbytes(size)
    link = Link(data, manner, to_client, to_server)
    download = link.run()
    assert download.outcome in {Outcome.DONE, Outcome.SILENCE}
    assert data.startswith(download.content.head)
    if download.outcome is Outcome.DONE:
        assert download.content.size == size
    assert link.requests <= 2 * len(manner.request_waits)


@pytest.mark.parametrize("manner", [UEFI_SIZE, pi_manner(("tsize", "0"), probe=True)])
@pytest.mark.parametrize("answer", [OptionAck((("tsize", "9"),)), Data(1, b"x")])
def test_a_probe_breaks_off_as_soon_as_it_knows(manner: Manner, answer: Packet) -> None:
    download = asked(manner)
    assert told(download, answer) == [manner.abort]
    assert (download.outcome, download.deadline()) == (Outcome.FOUND, None)


def test_a_pi_says_early_terminate() -> None:
    assert encode(EARLY_TERMINATE) == b"\0\5\0\0Early terminate\0"


def test_errors_end_it_and_a_missing_file_is_told_apart() -> None:
    for code, outcome in ((1, Outcome.MISSING), (2, Outcome.REFUSED)):
        download = asked()
        assert told(download, Error(code, "no")) == []
        assert download.outcome is outcome
        assert repr("no") in download.reason


@pytest.mark.parametrize(
    "option",
    [
        *(("blksize", "1469"), ("windowsize", "5"), ("timeout", "1"), ("blksize", "x")),
        *(("blksize", "0"), ("blksize", "9" * 5000), ("tsize", "9" * 5000), ("blksize", "\u0663")),
    ],
)
def test_an_oack_beyond_what_was_asked_for_is_refused(option: tuple[str, str]) -> None:
    download = asked(UEFI_FILE)
    (answer,) = told(download, OptionAck((option,)))
    assert isinstance(answer, Error)
    assert answer.code == 8
    assert download.outcome is Outcome.REFUSED
    assert option[0] in download.reason
    assert len(download.reason) < 100


@pytest.mark.parametrize("rolls_over", [True, False])
def test_more_than_65535_blocks_need_a_counter_that_rolls_over(rolls_over: bool) -> None:  # noqa: FBT001
    download = asked(Manner(options=(("blksize", "8"),), rolls_over=rolls_over))
    told(download, OptionAck((("blksize", "8"),)))
    for number in range(1, 0x10000):
        told(download, Data(number, bytes(8)))
    told(download, Data(0, b"end"))
    assert download.outcome is (Outcome.DONE if rolls_over else Outcome.REFUSED)
    assert rolls_over or "more than 65,535 blocks" in download.reason


def test_a_window_is_acknowledged_at_its_end_and_a_gap_once() -> None:
    download = asked(UEFI_FILE)
    assert told(download, OptionAck((("blksize", "8"), ("windowsize", "4")))) == [Ack(0)]
    block = b"12345678"
    assert [told(download, Data(number, block)) for number in (1, 2, 3, 4)] == [[], [], [], [Ack(4)]]
    assert [told(download, Data(number, block)) for number in (6, 7, 8)] == [[Ack(4)], [], []]
    assert [told(download, Data(number, block)) for number in (5, 6, 7, 8)] == [[], [], [], [Ack(8)]]
    assert told(download, Data(9, b"")) == [Ack(9)]
    assert download.content.size == 64


def test_the_last_packet_is_repeated_after_its_waits_then_given_up() -> None:
    download = asked(Manner(request_waits=(1.0, 2.0), ack_waits=(3.0, 4.0)))
    download.expire(0.9)
    assert sent(download) == []
    download.expire(1.0)
    assert sent(download) == [ReadRequest("nbp", "octet")]
    assert told(download, Data(1, bytes(512)), now=2.0) == [Ack(1)]
    download.expire(5.0)
    assert sent(download) == [Ack(1)]
    download.expire(9.0)
    assert (download.outcome, sent(download)) == (Outcome.SILENCE, [])


def test_a_file_has_its_time_and_no_more() -> None:
    download = asked(pi_manner())
    for block in range(1, 40):
        told(download, Data(block, bytes(512)), now=block)
        download.expire(float(block))
    assert download.outcome is Outcome.SILENCE


def test_strangers_are_turned_away_or_passed_over() -> None:
    download = asked()
    assert told(download, Data(1, bytes(512))) == [Ack(1)]
    (answer,) = told(download, Data(2, b"evil"), ("10.0.0.2", 40001))
    assert isinstance(answer, Error)
    assert answer.code == 5
    assert told(download, Data(2, b"evil"), ("10.0.0.66", 40000)) == []
    download.receive(b"\0\x09", TID, 0.0)
    assert told(download, Data(2, b"end")) == [Ack(2)]
    assert download.content.size == 515
