"""Who is heard first: known machines, who asks again, and all others, each with a share, and none without bound."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.servers.dhcp.intake import MOST_OF_ONE, REPEAT_SECONDS, STALE_SECONDS, Askers, Intake, Work

KNOWN = bytes.fromhex("525400770001")


def message(sender: bytes) -> bytes:
    return bytes(28) + sender + bytes(200)


def invented(number: int) -> bytes:
    return b"\x02" + number.to_bytes(5)


class Heard:
    """An intake that knows one machine, and the senders whose turn has come, in order."""

    def __init__(self) -> None:
        self.intake = Intake({KNOWN.hex(":")}.__contains__)
        self.senders: list[bytes] = []
        self.prepared = 0

    def put(self, sender: bytes, now: float = 0.0) -> bool:
        def prepare() -> Work:
            self.prepared += 1
            return lambda: self.senders.append(sender)

        return self.intake.put(message(sender), prepare, now)

    def turn(self) -> list[bytes]:
        """Return the senders of one turn."""
        self.senders.clear()
        for work in self.intake.turn():
            work()
        return list(self.senders)

    def to_the_end(self) -> list[bytes]:
        found: list[bytes] = []
        while turn := self.turn():
            found += turn
        return found


def test_two_hundred_machines_at_once_are_all_heard_in_order() -> None:
    heard = Heard()
    senders = [invented(number) for number in range(200)]
    assert all(heard.put(sender) for sender in senders)
    assert heard.to_the_end() == senders


def test_a_thousand_known_machines_at_once_are_all_heard() -> None:
    heard = Heard()
    senders = [KNOWN[:3] + number.to_bytes(3) for number in range(1000)]
    heard.intake = Intake(lambda mac: mac.startswith(KNOWN[:3].hex(":")))
    assert all(heard.put(sender) for sender in senders)
    assert heard.to_the_end() == senders
    assert not heard.intake


def test_a_storm_of_invented_senders_is_dropped_and_a_known_machine_is_next() -> None:
    heard = Heard()
    taken = [heard.put(invented(number)) for number in range(1000)]
    assert taken.index(False) == sum(taken) == heard.prepared
    assert heard.put(KNOWN)
    assert KNOWN in heard.turn()


def test_who_asks_again_does_not_wait_behind_the_storm() -> None:
    heard = Heard()
    lost = invented(999)
    for number in range(1000):
        heard.put(invented(number))
    assert not heard.put(invented(1001), now=0.5)
    assert heard.put(lost, now=4.0)
    assert lost in heard.turn()


def test_every_lane_has_a_share_of_every_turn() -> None:
    heard = Heard()
    again, new = invented(1), invented(2)
    heard.put(again)
    heard.to_the_end()
    for _ in range(MOST_OF_ONE):
        assert heard.put(KNOWN, now=3.0)
        assert heard.put(again, now=3.0)
        assert heard.put(new, now=3.0)
    assert set(heard.turn()) == {KNOWN, again, new}


def test_one_sender_does_not_fill_a_lane() -> None:
    heard = Heard()
    assert [heard.put(KNOWN) for _ in range(10)] == [True] * MOST_OF_ONE + [False] * (10 - MOST_OF_ONE)
    heard.to_the_end()
    assert heard.put(KNOWN)


def test_what_waits_too_long_makes_room_in_a_full_lane_alone() -> None:
    heard = Heard()
    assert heard.put(invented(0))
    assert heard.put(invented(1), now=100.0)
    assert heard.turn() == [invented(0)]
    number = 2
    while heard.put(invented(number), now=100.0):
        number += 1
    late = invented(10_000)
    assert not heard.put(late, now=100.0 + STALE_SECONDS)
    assert heard.put(late, now=100.1 + STALE_SECONDS)
    assert heard.to_the_end() == [*(invented(one) for one in range(2, number)), late]


def test_a_short_datagram_is_somebodys_too() -> None:
    heard = Heard()
    assert heard.intake.put(b"", lambda: lambda: None, 0.0)
    assert len(heard.intake.turn()) == 1
    heard.put(KNOWN)
    heard.intake.clear()
    assert heard.turn() == []


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 30)), max_size=60))
def test_nothing_that_found_a_place_is_lost_or_heard_twice(steps: list[tuple[int, float]]) -> None:
    heard = Heard()
    found: list[bytes] = []
    expected: Counter[bytes] = Counter()
    for number, now in sorted(steps, key=lambda step: step[1]):
        sender = invented(number) if number else KNOWN
        expected[sender] += heard.put(sender, now)
        found += heard.turn()
    assert Counter(found + heard.to_the_end()) == +expected


def test_a_sender_asks_again_after_a_second_and_for_a_while() -> None:
    askers = Askers()
    assert not askers.asks_again(KNOWN, 7.0)
    assert not askers.asks_again(KNOWN, 7.9)
    assert askers.asks_again(KNOWN, 8.0)
    assert askers.asks_again(KNOWN, 8.0)
    assert askers.asks_again(KNOWN, 7.0 + REPEAT_SECONDS[-1])
    assert not askers.asks_again(KNOWN, 8.0 + REPEAT_SECONDS[-1]), "that is its first message then"
    assert askers.asks_again(KNOWN, 12.0 + REPEAT_SECONDS[-1])


def test_of_a_storm_hardly_anybody_is_taken_for_another() -> None:
    askers = Askers()
    for second in range(4):
        for number in range(20_000):
            askers.asks_again(invented(second * 20_000 + number), float(second))
    strangers = sum(askers.asks_again(invented(1_000_000 + number), 5.0) for number in range(1000))
    remembered = sum(askers.asks_again(invented(number), 5.5) for number in range(1000))
    assert strangers <= 1
    assert remembered > 850
