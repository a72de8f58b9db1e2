"""Replies that wait for their delay or for their turn, in a running loop."""

import asyncio
from ipaddress import IPv4Address

import pytest
from support.waiting import until

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import decide
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.servers.dhcp import pace, turns
from iluvatar_pxe.servers.dhcp.pace import Pace
from iluvatar_pxe.servers.dhcp.proxy import Reply

ONE, OTHER, THIRD = "b8:27:eb:00:00:01", "b8:27:eb:00:00:02", "b8:27:eb:00:00:03"


class Asked:
    """What was asked for, and what was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.pace = Pace()

    def ask(self, mac: str, *, delay: float = 0.0, in_turn: bool = True) -> None:
        reply = Reply(
            data=b"",
            to=(str(IPv4Address("255.255.255.255")), 68),
            decision=decide(
                Sighting(mac=mac, firmware=Firmware.RASPBERRY_PI), Snapshot(), Fleet(), Context()
            ),
            boot_file="",
            delay=delay,
            one_at_a_time=in_turn,
        )
        self.pace.send(reply, lambda: self.sent.append(mac), in_turn=in_turn)


async def test_the_next_is_answered_when_the_one_before_fetches_its_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 1000.0)
    asked = Asked()
    for mac in (ONE, OTHER, THIRD):
        asked.ask(mac, delay=0.01)
    await until(lambda: asked.sent)
    asked.pace.came_on(OTHER)
    assert asked.sent == [ONE]
    asked.pace.came_on(ONE)
    await until(lambda: len(asked.sent) == 2)
    asked.pace.came_on(OTHER)
    await until(lambda: len(asked.sent) == 3)
    assert asked.sent == [ONE, OTHER, THIRD]


async def test_the_next_is_answered_when_the_one_before_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.02)
    asked = Asked()
    for mac in (ONE, OTHER, THIRD):
        asked.ask(mac)
    assert asked.sent == [ONE]
    await until(lambda: len(asked.sent) == 3)
    assert asked.sent == [ONE, OTHER, THIRD]


async def test_those_that_need_no_turn_pass_and_hold_none() -> None:
    asked = Asked()
    asked.ask(OTHER, in_turn=False)
    asked.ask(ONE)
    asked.ask(OTHER, in_turn=False)
    assert asked.sent == [OTHER, ONE, OTHER]


async def test_a_reply_waits_and_nothing_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_WAITING", 2)
    asked = Asked()
    for mac in (ONE, ONE, OTHER, THIRD):
        asked.ask(mac, delay=0.01, in_turn=False)
    assert asked.sent == []
    await until(lambda: len(asked.sent) == 2)
    assert asked.sent == [ONE, OTHER]


async def test_what_waits_is_dropped_at_the_end() -> None:
    asked = Asked()
    asked.ask(ONE, delay=0.01)
    asked.ask(OTHER, delay=0.01, in_turn=False)
    asked.pace.close()
    await asyncio.sleep(0.05)
    assert asked.sent == []
