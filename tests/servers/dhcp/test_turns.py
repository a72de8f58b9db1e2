"""Pi 3s that take turns, by the timing of their boot ROM and by a clock of the test's."""

from collections.abc import Collection
from itertools import pairwise

import pytest

from iluvatar_pxe.servers.dhcp.turns import LISTENS_SECONDS, MOST_QUEUED, TURN_SECONDS, Turns

DELAY = 1.5
TRIES = [0.0, 5.0, 10.0, 15.0, 20.0]
"""When a Pi 3 asks; it listens for 5 s each time, and then no more (raspberrypi/firmware#859)."""
DEAD = 25.0
TICK = 0.1
FETCHES_AFTER = 0.3


class Room:
    """Pi 3s and the queue, and a clock that ticks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = Turns()
        self.sent: list[tuple[float, str]] = []

    def ask(self, mac: str) -> bool:
        return self.turns.join(mac, lambda: self.sent.append((self.now, mac)), now=self.now, delay=DELAY)

    def tick(self) -> None:
        """Let time pass, and send what is due, as a timer would."""
        self.now = round(self.now + TICK, 3)
        at = self.turns.next_at()
        if at is not None and at <= self.now and (send := self.turns.take(self.now)):
            send()

    def switch_on(self, starts: dict[str, float], dead_ends: Collection[str] = ()) -> dict[str, float]:
        """Return when each got its first reply before it was dead; a dead end never fetches and always asks."""
        while self.now < max(starts.values()) + DEAD:
            answered = dict(reversed([(mac, at) for at, mac in self.sent]))
            for mac, start in starts.items():
                if round(self.now - start, 3) in TRIES and (mac in dead_ends or mac not in answered):
                    self.ask(mac)
                if mac in answered and mac not in dead_ends and self.now >= answered[mac] + FETCHES_AFTER:
                    self.turns.leave(mac)
            self.tick()
        firsts = dict(reversed([(mac, at) for at, mac in self.sent]))
        return {mac: at for mac, at in firsts.items() if at <= starts[mac] + DEAD}


def macs(count: int) -> list[str]:
    return [f"b8:27:eb:00:00:{number:02x}" for number in range(count)]


@pytest.mark.parametrize("go_on", [True, False])
@pytest.mark.parametrize("count", [2, 6, 20])
def test_firmware_1067_all_that_are_switched_on_together_get_their_turn(count: int, *, go_on: bool) -> None:
    names = macs(count)
    got = Room().switch_on(dict.fromkeys(names, 0.0), dead_ends=() if go_on else names)
    assert sorted(got, key=lambda mac: got[mac]) == names
    gaps = [later - earlier for earlier, later in pairwise(got[mac] for mac in names)]
    assert min(gaps) >= (FETCHES_AFTER if go_on else TURN_SECONDS) - TICK / 2


@pytest.mark.parametrize("lag", [0.0, 0.5, 1.0, 2.0, 3.0, 4.9])
def test_one_that_never_goes_on_and_asks_for_ever_starves_none(lag: float) -> None:
    never, other = macs(2)
    got = Room().switch_on({never: 0.0, other: lag}, dead_ends=[never])
    assert got[other] <= lag + DELAY + TURN_SECONDS + TICK


def test_firmware_859_no_reply_goes_out_before_its_delay_is_over() -> None:
    room = Room()
    first, second = macs(2)
    room.ask(first)
    room.now = 5.0
    room.ask(second)
    room.ask(first)  # the router offers anew
    for _ in range(40):
        room.tick()
    assert room.sent == [(6.5, first), (7.5, second)]


def test_asking_often_does_not_put_the_reply_off() -> None:
    room = Room()
    for _ in range(16):
        room.ask("b8:27:eb:00:00:00")
        room.tick()
    assert room.sent[0] == (1.5, "b8:27:eb:00:00:00")


def test_who_did_not_ask_again_loses_its_place() -> None:
    room = Room()
    gone, here = macs(2)
    room.ask(gone)
    room.now = LISTENS_SECONDS + TICK
    room.ask(here)
    for _ in range(30):
        room.tick()
    assert [mac for _, mac in room.sent] == [here]


def test_only_whose_turn_it_is_ends_it() -> None:
    room = Room()
    first, second, third = macs(3)
    for mac in (first, second, third):
        room.ask(mac)
    room.now = DELAY
    room.tick()
    room.turns.leave(third)
    room.tick()
    assert [mac for _, mac in room.sent] == [first]
    room.turns.leave(first)
    room.tick()
    assert [mac for _, mac in room.sent] == [first, second]


def test_the_queue_is_bounded_and_a_place_in_it_is_kept() -> None:
    room = Room()
    names = macs(MOST_QUEUED + 1)
    assert [room.ask(mac) for mac in names] == [True] * MOST_QUEUED + [False]
    assert room.ask(names[0])
