"""The read transfer, step by step: each rule of its state table, with a clock made of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.wire.tftp.options import Terms
from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, OptionAck, Packet, ReadRequest, decode, encode
from iluvatar_pxe.wire.tftp.transfer import (
    ALLOWANCE,
    LOCK_STEP_READ_SIZE,
    LONGEST_TIMEOUT,
    READ_SIZE,
    RETRANSMISSIONS,
    Ending,
    Outcome,
    ReadTransfer,
)

OPTIONS = (("tsize", "x"),)


@pytest.mark.parametrize(("terms", "expected"), [(Terms(), (0, 512)), (Terms(blksize=1468), (0, 1468))])
def test_nothing_is_read_ahead_for_a_client_that_never_answered(
    terms: Terms, expected: tuple[int, int]
) -> None:
    transfer = ReadTransfer(1 << 20, terms)
    assert transfer.wanted() == expected
    transfer.supply(0, bytes(expected[1]))
    assert transfer.wanted() is None
    transfer.datagrams_to_send(0)
    transfer.receive(encode(Ack(1)))
    assert transfer.wanted() == (expected[1], LOCK_STEP_READ_SIZE // terms.blksize * terms.blksize)


@pytest.mark.parametrize(
    ("blksize", "windowsize", "blocks"),
    [
        (1024, 1, 16),
        (1428, 8, 45),
        (1428, 11, 45),
        (1428, 12, 12),
        (1428, 16, 16),
        (1428, 64, 45),
        (512, 64, 64),
    ],
)
def test_nothing_is_read_before_the_options_are_acknowledged_then_a_window_of_middle_length_as_a_whole(
    blksize: int, windowsize: int, blocks: int
) -> None:
    transfer = ReadTransfer(1 << 20, Terms(blksize, windowsize, accepted=OPTIONS))
    transfer.datagrams_to_send(0)
    assert transfer.wanted() is None
    transfer.receive(encode(Ack(0)))
    assert transfer.wanted() == (0, blocks * blksize)


class Served:
    """A transfer whose file is at hand, with the client's moves as methods that return what is sent."""

    def __init__(self, data: bytes, terms: Terms | None = None) -> None:
        self.data = data
        self.transfer = ReadTransfer(len(data), terms or Terms())
        self.now = 100.0

    def sent(self) -> list[Packet]:
        while wanted := self.transfer.wanted():
            offset, length = wanted
            self.transfer.supply(offset, self.data[offset : offset + length])
        return [decode(datagram) for datagram in self.transfer.datagrams_to_send(self.now)]

    def blocks(self) -> list[int]:
        return [packet.block for packet in self.sent() if isinstance(packet, Data)]

    def ack(self, block: int) -> list[int]:
        self.transfer.receive(encode(Ack(block)))
        return self.blocks()

    def wait(self) -> list[int]:
        self.now = self.deadline()
        self.transfer.expire(self.now)
        return self.blocks()

    def deadline(self) -> float:
        deadline = self.transfer.deadline()
        assert deadline is not None
        return deadline

    @property
    def outcome(self) -> Outcome | None:
        return self.transfer.ending.outcome if self.transfer.ending else None


def served(blocks: int, windowsize: int = 1, *, options: bool = False) -> Served:
    """``blocks`` full blocks of 8 bytes and an empty one; with a window or options the OACK is acknowledged."""
    accepted = OPTIONS if options or windowsize > 1 else ()
    peer = Served(bytes(8 * blocks), Terms(8, windowsize, None, accepted))
    if accepted:
        assert peer.sent() == [OptionAck(accepted)]
        peer.transfer.receive(encode(Ack(0)))
    return peer


def fetch(peer: Served) -> tuple[bytes, int]:
    """Play a client on a perfect link; return the file it gets and the number of DATA."""
    got, count, packets = bytearray(), 0, peer.sent()
    while packets:
        for packet in packets:
            if isinstance(packet, Data):
                got += packet.payload
                count += 1
        last = packets[-1].block if isinstance(packets[-1], Data) else 0
        peer.transfer.receive(encode(Ack(last)))
        packets = peer.sent()
    return bytes(got), count


@pytest.mark.parametrize("windowsize", [1, 2, 7, 64])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 15, 16, 17, 8 * 64, 8 * 64 + 1, 5000])
def test_sizes_around_blocks_and_windows(size: int, windowsize: int) -> None:
    data = bytes(i % 251 for i in range(size))
    peer = Served(data, Terms(8, windowsize, None, OPTIONS))
    assert fetch(peer) == (data, size // 8 + 1)
    assert peer.transfer.ending == Ending(Outcome.DONE, size, "complete")


@pytest.mark.parametrize(("blocks", "windowsize"), [(65534, 1), (65535, 1), (65536, 1), (140000, 64)])
def test_block_numbers_roll_over_to_zero(blocks: int, windowsize: int) -> None:
    data = b"".join(number.to_bytes(8, "big") for number in range(blocks)) + b"end"
    peer = Served(data, Terms(8, windowsize, None, OPTIONS))
    assert fetch(peer) == (data, blocks + 1)
    assert peer.outcome is Outcome.DONE


def test_without_options_the_first_answer_is_block_one() -> None:
    assert Served(b"hello").sent() == [Data(1, b"hello")]


def test_with_options_the_first_block_waits_for_the_ack_of_the_oack() -> None:
    peer = Served(b"hello", Terms(accepted=OPTIONS))
    assert peer.sent() == [OptionAck(OPTIONS)]
    assert peer.ack(1) == []
    assert peer.ack(0) == [1]


def test_the_client_may_say_error_to_the_oack_which_is_a_probe() -> None:
    peer = Served(b"hello", Terms(accepted=OPTIONS))
    peer.sent()
    peer.transfer.receive(encode(Error(8, "User aborted the transfer")))
    reason = "the client ended it with error 8: 'User aborted the transfer'"
    assert peer.transfer.ending == Ending(Outcome.PROBE, 0, reason)
    assert (peer.sent(), peer.transfer.deadline(), peer.transfer.wanted()) == ([], None, None)


def test_an_error_after_the_first_acknowledged_block_aborts() -> None:
    peer = served(5)
    peer.sent()
    peer.ack(1)
    peer.transfer.receive(encode(Error(3, "disk\nfull")))
    reason = r"the client ended it with error 3: 'disk\nfull'"
    assert peer.transfer.ending == Ending(Outcome.ABORTED, 8, reason)


def test_windowsize_one_never_answers_a_duplicate_ack() -> None:
    peer = served(50, options=True)
    sent = peer.blocks()
    for block in range(50):
        assert peer.ack(block) == []
        sent += peer.ack(block + 1)
        for old in range(max(0, block - 3), block + 2):
            assert peer.ack(old) == []
    assert sent == list(range(1, 52))


def test_an_ack_inside_the_window_resumes_after_it() -> None:
    peer = served(100, windowsize=4)
    assert peer.blocks() == [1, 2, 3, 4]
    assert peer.ack(2) == [3, 4, 5, 6]
    assert peer.ack(6) == [7, 8, 9, 10]


def test_a_peer_that_acknowledges_every_block_gets_the_file_a_few_times_at_most() -> None:
    peer = served(500, windowsize=64)
    arrived, sent = peer.blocks(), 0
    while arrived:
        sent += 1
        arrived += peer.ack(arrived.pop(0))
    assert peer.outcome is Outcome.DONE
    assert sent <= (1 + ALLOWANCE) * 501 + 64


@pytest.mark.parametrize("windowsize", [2, 16, 64])
@given(data=st.data())
def test_no_pattern_of_acks_makes_us_send_more_than_the_allowance(
    windowsize: int, data: st.DataObject
) -> None:
    peer = served(300, windowsize)
    sent, base = len(peer.blocks()), 0
    steps = data.draw(st.lists(st.one_of(st.integers(0, 3), st.integers(0, windowsize)), max_size=400))
    for step in steps:
        base = min(base + step, 301)
        sent += len(peer.ack(base))
        assert sent <= (1 + ALLOWANCE) * base + 2 * windowsize


@pytest.mark.parametrize("windowsize", [2, 16, 64])
def test_a_peer_that_acknowledges_windows_gets_each_block_once(windowsize: int) -> None:
    peer = served(500, windowsize)
    arrived = peer.blocks()
    sent = list(arrived)
    while arrived:
        arrived = peer.ack(arrived[-1])
        sent += arrived
    assert sent == list(range(1, 502))
    assert peer.outcome is Outcome.DONE


def test_what_was_lost_and_may_not_be_repeated_yet_is_repeated_by_the_deadline() -> None:
    peer = served(100, windowsize=16)
    peer.blocks()
    assert peer.ack(1) == list(range(2, 18))
    peer.now += 0.5
    assert peer.ack(2) == [18]
    assert peer.deadline() - peer.now == 1
    assert peer.wait() == list(range(3, 19))


def test_progress_with_nothing_to_send_restarts_the_wait() -> None:
    peer = served(15, windowsize=16)
    assert peer.blocks() == list(range(1, 17))
    assert peer.wait() == list(range(1, 17))
    assert peer.ack(1) == list(range(2, 17))
    peer.now += 0.5
    assert peer.ack(2) == []
    assert peer.deadline() - peer.now == 1
    assert peer.wait() == list(range(3, 17))


def test_acks_that_arrive_before_the_repetition_went_out() -> None:
    peer = served(100, windowsize=4)
    peer.blocks()
    for block in (1, 4):
        peer.transfer.receive(encode(Ack(block)))
    assert peer.blocks() == [5, 6, 7, 8]


def test_the_ack_of_the_last_position_resends_the_window_once() -> None:
    peer = served(100, windowsize=4)
    peer.blocks()
    peer.ack(4)
    assert peer.ack(4) == [5, 6, 7, 8]
    assert peer.ack(4) == []
    assert peer.wait() == [5, 6, 7, 8]
    assert peer.ack(4) == []


def test_a_repeated_window_is_not_repeated_again_because_its_echo_repeats_the_ack() -> None:
    peer = served(100, windowsize=4)
    peer.blocks()
    peer.ack(4)
    assert peer.ack(4) == [5, 6, 7, 8]
    assert peer.ack(8) == [9, 10, 11, 12]
    assert peer.ack(8) == []
    assert peer.ack(12) == [13, 14, 15, 16]
    assert peer.ack(12) == [13, 14, 15, 16]


def test_a_repeated_oack_does_not_double_the_first_window() -> None:
    peer = Served(bytes(100), Terms(8, 4, None, OPTIONS))
    peer.sent()
    peer.now = peer.deadline()
    peer.transfer.expire(peer.now)
    assert peer.sent() == [OptionAck(OPTIONS)]
    assert peer.ack(0) == [1, 2, 3, 4]
    assert peer.ack(0) == []


@pytest.mark.parametrize("stray", [3, 2, 0, 9, 12, 100, 32772, 65535])
def test_acks_outside_the_window_are_ignored(stray: int) -> None:
    peer = served(100, windowsize=4)
    peer.blocks()
    assert peer.ack(4) == [5, 6, 7, 8]
    assert peer.ack(stray) == []
    assert peer.ack(8) == [9, 10, 11, 12]


def test_acks_of_blocks_that_were_never_sent_are_ignored() -> None:
    peer = served(5, windowsize=8)
    assert peer.blocks() == [1, 2, 3, 4, 5, 6]
    assert (peer.ack(7), peer.ack(8), peer.outcome) == ([], [], None)
    assert (peer.ack(6), peer.outcome) == ([], Outcome.DONE)


def test_acks_outside_the_window_are_ignored_around_the_rollover() -> None:
    peer = served(65600, windowsize=4)
    for block in range(0, 65540, 4):
        peer.ack(block & 0xFFFF)
    assert peer.transfer.ending is None
    assert [peer.ack(stray) for stray in (65532, 65535, 5, 6)] == [[], [], [], []]
    assert peer.ack(2) == [3, 4, 5, 6]


def test_datagrams_that_answer_nothing_are_ignored() -> None:
    peer = served(5)
    peer.blocks()
    for payload in (b"", b"\0\4", b"\xff" * 9, encode(Data(1, b"x")), encode(ReadRequest("f", "octet"))):
        peer.transfer.receive(payload)
        assert peer.blocks() == []
    assert peer.ack(1) == [2]


def test_waits_double_up_to_a_limit_and_end() -> None:
    peer = served(5)
    peer.blocks()
    peer.ack(1)
    waits = []
    while peer.transfer.ending is None:
        waits.append(peer.deadline() - peer.now)
        assert peer.wait() == ([2] if len(waits) <= RETRANSMISSIONS else [])
    assert waits == [1, 2, 4, 8, 8, 8]
    assert peer.transfer.ending == Ending(Outcome.TIMEOUT, 8, "the client fell silent after block 1 of 6")


@pytest.mark.parametrize(("timeout", "waits"), [(3, [3, 6, 8]), (1, [1, 2, 4]), (255, [255, 255, 255])])
def test_the_client_chooses_the_first_wait(timeout: int, waits: list[int]) -> None:
    peer = Served(bytes(5), Terms(timeout=timeout, accepted=OPTIONS))
    peer.sent()
    assert peer.ack(0) == [1]
    for wait in waits:
        assert peer.deadline() - peer.now == wait <= max(timeout, LONGEST_TIMEOUT)
        assert peer.wait() == [1]


@pytest.mark.parametrize("timeout", [None, 1, 3, 255])
def test_until_the_first_ack_the_waits_are_ours_and_end_after_31_seconds(timeout: int | None) -> None:
    peer = Served(bytes(5), Terms(timeout=timeout, accepted=OPTIONS))
    start = peer.now
    assert peer.sent() == [OptionAck(OPTIONS)]
    waits = []
    while peer.transfer.ending is None:
        waits.append(peer.deadline() - peer.now)
        peer.now = peer.deadline()
        peer.transfer.expire(peer.now)
        peer.sent()
    assert waits == [1, 2, 4, 8, 8, 8]
    assert peer.now - start == 31
    assert peer.outcome is Outcome.TIMEOUT
    assert not peer.transfer.acknowledged


def test_only_a_valid_ack_counts_as_one() -> None:
    peer = Served(bytes(5), Terms(timeout=255, accepted=OPTIONS))
    peer.sent()
    peer.ack(1)
    assert not peer.transfer.acknowledged
    peer.ack(0)
    assert peer.transfer.acknowledged
    without_options = served(5)
    without_options.blocks()
    for stray in (0, 2, 65535):
        without_options.ack(stray)
    assert not without_options.transfer.acknowledged
    without_options.ack(1)
    assert without_options.transfer.acknowledged


def test_progress_makes_waits_short_again() -> None:
    peer = served(5)
    peer.blocks()
    peer.wait()
    peer.wait()
    assert peer.deadline() - peer.now == 4
    peer.ack(1)
    assert peer.deadline() - peer.now == 1


def test_a_deadline_that_has_not_come_changes_nothing() -> None:
    peer = served(5)
    peer.blocks()
    peer.transfer.expire(peer.deadline() - 0.001)
    assert peer.blocks() == []


def test_a_duplicate_ack_does_not_postpone_the_deadline() -> None:
    peer = served(5)
    peer.blocks()
    peer.ack(1)
    before = peer.transfer.deadline()
    peer.now += 0.5
    peer.ack(1)
    assert peer.transfer.deadline() == before


@pytest.mark.parametrize(
    ("acknowledged", "reason"),
    [
        (None, "the client never acknowledged the options"),
        (0, "the client fell silent after block 0 of 4"),
        (3, "the client never acknowledged the last blocks, from 4 of 4"),
    ],
)
def test_silence_is_told_in_words(acknowledged: int | None, reason: str) -> None:
    peer = Served(bytes(24), Terms(8, 1, None, OPTIONS))
    peer.sent()
    for block in range(-1 if acknowledged is None else acknowledged + 1):
        peer.ack(block)
    while peer.transfer.ending is None:
        peer.now = peer.deadline()
        peer.transfer.expire(peer.now)
        peer.sent()
    assert peer.transfer.ending == Ending(Outcome.TIMEOUT, 8 * (acknowledged or 0), reason)


def test_while_the_file_is_awaited_no_time_runs() -> None:
    transfer = ReadTransfer(100, Terms())
    assert transfer.wanted() == (0, 100)
    assert (transfer.datagrams_to_send(5.0), transfer.deadline()) == ([], None)
    transfer.supply(0, bytes(100))
    assert len(transfer.datagrams_to_send(9.0)) == 1
    assert transfer.deadline() == 10.0


def test_the_file_is_wanted_in_large_pieces_and_only_a_little_ahead() -> None:
    window = 8 * 1024
    transfer = ReadTransfer(10 * READ_SIZE + 1, Terms(1024, 8))
    asked: list[tuple[int, int]] = []

    def fill() -> None:
        while wanted := transfer.wanted():
            asked.append(wanted)
            transfer.supply(wanted[0], bytes(wanted[1]))
        transfer.datagrams_to_send(0.0)

    fill()
    for block in range(8, 72, 8):
        transfer.receive(encode(Ack(block)))
        fill()
    assert asked == [(0, window), (window, READ_SIZE), (window + READ_SIZE, READ_SIZE)]
    transfer.receive(encode(Ack(72)))
    assert transfer.wanted() == (window + 2 * READ_SIZE, READ_SIZE)


def test_in_lock_step_a_quarter_of_that_is_at_hand() -> None:
    transfer = ReadTransfer(10 * READ_SIZE, Terms(1024))
    held = 0
    for block in range(1, 64):
        while wanted := transfer.wanted():
            transfer.supply(wanted[0], bytes(wanted[1]))
            held = sum(wanted) - 1024 * (block - 1)
            assert held <= 2 * LOCK_STEP_READ_SIZE + 1024
        transfer.datagrams_to_send(0.0)
        transfer.receive(encode(Ack(block)))
    assert held >= LOCK_STEP_READ_SIZE


def test_what_was_not_wanted_is_not_taken() -> None:
    transfer = ReadTransfer(10, Terms())
    transfer.supply(5, b"wrong")
    transfer.supply(0, b"0123456789 and more")
    transfer.supply(0, b"9876543210")
    assert [decode(d) for d in transfer.datagrams_to_send(0.0)] == [Data(1, b"0123456789")]


def test_a_file_that_shrinks_ends_with_an_error() -> None:
    transfer = ReadTransfer(1000, Terms())
    transfer.supply(0, bytes(511))
    reason = "the file became shorter than 1000 bytes while it was sent"
    assert [decode(d) for d in transfer.datagrams_to_send(0.0)] == [Error(0, reason)]
    assert transfer.ending == Ending(Outcome.FAILED, 0, reason)
    assert transfer.datagrams_to_send(0.0) == []


def test_fail_tells_the_client_and_abandon_does_not() -> None:
    failed, abandoned = served(5), served(5)
    failed.transfer.fail("the server is stopping")
    abandoned.transfer.abandon("gone")
    assert failed.sent() == [Error(0, "the server is stopping")]
    assert abandoned.sent() == []
    assert (failed.outcome, abandoned.outcome) == (Outcome.FAILED, Outcome.ABORTED)


def test_the_first_ending_stands() -> None:
    peer = served(5)
    peer.transfer.abandon("first")
    peer.transfer.fail("second")
    peer.transfer.receive(encode(Error(0, "third")))
    assert peer.transfer.ending == Ending(Outcome.ABORTED, 0, "first")
    assert peer.sent() == []


def test_stalled_means_progress_and_then_a_missed_deadline() -> None:
    peer = served(5)
    peer.blocks()
    peer.wait()
    assert not peer.transfer.stalled
    peer.ack(1)
    assert not peer.transfer.stalled
    peer.wait()
    assert peer.transfer.stalled


def following(size: int, windowsize: int, blksize: int = 100) -> ReadTransfer:
    """A transfer of which the first window was sent."""
    transfer = ReadTransfer(size, Terms(blksize, windowsize))
    transfer.supply(0, bytes(blksize * windowsize))
    transfer.datagrams_to_send(0.0)
    return transfer


def followed(transfer: ReadTransfer, datagram: bytes, now: float) -> list[Packet]:
    octets, size = bytes(transfer.follow(datagram, now)), transfer.segment
    return [decode(octets[start : start + size]) for start in range(0, len(octets), size)]


def test_the_next_window_is_prepared_and_follows_its_ack() -> None:
    transfer = following(550, 2)
    transfer.prepare()
    assert not followed(transfer, encode(Ack(2)), 1.0), "nothing before the client has shown that it is there"
    transfer.receive(encode(Ack(2)))
    transfer.supply(200, bytes(350))
    transfer.datagrams_to_send(1.0)
    transfer.prepare()
    assert followed(transfer, encode(Ack(3)), 2.0) == [], "something was lost"
    assert followed(transfer, encode(Ack(4)), 2.0) == [
        Data(5, bytes(100)),
        Data(6, bytes(50)),
    ]
    assert transfer.deadline() == 3.0
    transfer.prepare()
    transfer.receive(encode(Ack(6)))
    assert transfer.ending == Ending(Outcome.DONE, 550, "complete")


def test_a_window_that_is_not_whole_at_hand_follows_nothing() -> None:
    read = READ_SIZE // 1040  # blocks: 63, which ends a block before the end of a window
    transfer = following(1 << 20, 8, blksize=1040)
    transfer.receive(encode(Ack(8)))
    transfer.supply(8 * 1040, bytes(read * 1040))
    transfer.datagrams_to_send(1.0)
    transfer.prepare()
    answered = [len(followed(transfer, encode(Ack(block)), 2.0)) for block in range(16, 80, 8)]
    assert answered == [8] * 6 + [0, 0]
    assert transfer.wanted() == ((8 + read) * 1040, read * 1040)


def test_no_block_behind_the_last_can_be_acknowledged() -> None:
    transfer = following(950, 4)
    transfer.receive(encode(Ack(4)))
    transfer.supply(400, bytes(550))
    transfer.datagrams_to_send(1.0)
    transfer.prepare()
    assert followed(transfer, encode(Ack(8)), 2.0) == [Data(9, bytes(100)), Data(10, bytes(50))]
    for block in (11, 12):
        transfer.receive(encode(Ack(block)))
        assert transfer.ending is None
    transfer.receive(encode(Ack(10)))
    assert transfer.ending == Ending(Outcome.DONE, 950, "complete")


MOVES = st.sampled_from(["ack", "ack", "ack", "ack", "older", "middle", "late", "error"])


@given(st.integers(1, 9), st.lists(MOVES, max_size=30))
def test_whoever_prepares_and_follows_sends_what_others_send(windowsize: int, moves: list[str]) -> None:
    terms = Terms(1000, windowsize, timeout=3)
    data = bytes(range(250)) * 800
    plain, quick = Served(data, terms), Served(data, terms)
    acknowledged = high = 0
    for move in ["", *moves]:
        now = quick.now = plain.now = plain.now + (9 if move == "late" else 0.1)
        block = {"ack": high, "older": acknowledged, "middle": (acknowledged + high + 1) // 2}.get(move)
        datagram = encode(Error(0, "enough") if block is None else Ack(block))
        early: list[Packet] = []
        for served in (plain, quick):
            if move == "late":
                served.transfer.expire(now)
        if move not in ("", "late"):
            plain.transfer.receive(datagram)
            early = followed(quick.transfer, datagram, now)
            if not early:
                quick.transfer.receive(datagram)
        sent = plain.sent()
        assert [*early, *quick.sent()] == sent
        assert (quick.transfer.deadline(), quick.transfer.ending) == (
            plain.transfer.deadline(),
            plain.transfer.ending,
        )
        acknowledged = block if block is not None else acknowledged
        high = max([high, *(packet.block for packet in sent if isinstance(packet, Data))])
        quick.transfer.prepare()
