"""Replies that wait, and Pi 3s that take turns."""

import asyncio
from ipaddress import IPv4Address

import pytest
from support.waiting import until

from iluvatar_pxe.boot.plan import Hold
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.servers import pace
from iluvatar_pxe.servers.dhcp_core import Reply
from iluvatar_pxe.servers.pace import TURN_SECONDS, Pace

ONE, OTHER = "b8:27:eb:00:00:01", "b8:27:eb:00:00:02"


class Times:
    """A clock of the test's, and what was sent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[str] = []
        self.pace = Pace(lambda: self.now)

    def ask(self, mac: str, *, delay: float = 0.0, turns: bool = True) -> None:
        reply = Reply(
            data=b"",
            to=(str(IPv4Address("255.255.255.255")), 68),
            sighting=Sighting(mac=mac, firmware=Firmware.RASPBERRY_PI),
            plan=Hold(why="", name="", screen=()),
            boot_file="",
            delay=delay,
            one_at_a_time=turns,
        )
        self.pace.send(reply, lambda: self.sent.append(mac))


def test_firmware_1067_while_one_is_answered_the_other_gets_nothing() -> None:
    times = Times()
    times.ask(ONE)
    times.ask(OTHER)
    times.ask(ONE)
    assert times.sent == [ONE, ONE]
    times.pace.came_on(OTHER)
    times.ask(OTHER)
    assert times.sent == [ONE, ONE]
    times.pace.came_on(ONE)
    times.ask(OTHER)
    assert times.sent == [ONE, ONE, OTHER]


def test_firmware_1067_who_does_not_go_on_keeps_the_others_waiting_for_a_bounded_time() -> None:
    times = Times()
    for now in range(9):
        times.now = now
        times.ask(ONE)
        times.ask(OTHER)
    assert times.sent == [ONE] * int(TURN_SECONDS) + [ONE]
    times.now += TURN_SECONDS
    times.ask(OTHER)
    assert times.sent[-1] == OTHER


def test_those_that_need_no_turn_pass() -> None:
    times = Times()
    times.ask(ONE)
    times.ask(OTHER, turns=False)
    assert times.sent == [ONE, OTHER]


async def test_a_reply_waits_and_nothing_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_WAITING", 2)
    times = Times()
    for mac in (ONE, ONE, OTHER, "b8:27:eb:00:00:03"):
        times.ask(mac, delay=0.01, turns=False)
    assert times.sent == []
    await until(lambda: len(times.sent) == 2)
    assert times.sent == [ONE, OTHER]


async def test_what_waits_is_dropped_at_the_end() -> None:
    times = Times()
    times.ask(ONE, delay=0.01)
    times.pace.close()
    await asyncio.sleep(0.05)
    assert times.sent == []
