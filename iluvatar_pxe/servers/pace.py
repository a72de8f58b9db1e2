"""When a DHCP reply goes out: some firmware wants it late, and some boots only one machine at a time."""

import asyncio
import time
from collections.abc import Callable

from iluvatar_pxe.servers.dhcp_core import Reply
from iluvatar_pxe.servers.ratelimit import complain

MOST_WAITING = 256
"""Replies that wait at once; anybody can ask in any name, and who gets none asks again."""
TURN_SECONDS = 8.0
"""How long others wait for a machine that got its reply: a Pi 3 asks five times, 5 s apart, and then no more."""


class Pace:
    """Sends replies when it is time for them. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._turn: tuple[str, float] | None = None
        """Whose turn it is, and until when."""

    def send(self, reply: Reply, send: Callable[[], None]) -> None:
        """Call ``send`` at once or when the reply's delay is over; not at all while it is another's turn."""
        mac = reply.sighting.mac
        if reply.one_at_a_time and not self._takes_turn(mac):
            complain("dhcp.not_its_turn", mac=mac, why="another Pi 3 is being answered; it asks again")
        elif not reply.delay:
            send()
        elif mac not in self._waiting and len(self._waiting) < MOST_WAITING:
            loop = asyncio.get_running_loop()
            self._waiting[mac] = loop.call_later(reply.delay, self._due, mac, send)

    def came_on(self, mac: str) -> None:
        """Take in that a machine has begun to fetch its files: it is the next one's turn."""
        if self._turn and self._turn[0] == mac:
            self._turn = None

    def close(self) -> None:
        """Drop what waits."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _takes_turn(self, mac: str) -> bool:
        now = self._clock()
        if self._turn is None or now >= self._turn[1]:
            self._turn = mac, now + TURN_SECONDS
        return self._turn[0] == mac

    def _due(self, mac: str, send: Callable[[], None]) -> None:
        del self._waiting[mac]
        send()
