"""When a DHCP reply goes out: some firmware wants it late, and some is answered one machine at a time."""

import asyncio
from collections.abc import Callable

from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.dhcp.proxy import Reply
from iluvatar_pxe.servers.dhcp.turns import Turns

MOST_WAITING = 256
"""Replies that wait for nothing but their delay; anybody can ask in any name, and who gets none asks again."""


class Pace:
    """Sends replies when it is time for them. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._turns = Turns()
        self._turn_timer: asyncio.TimerHandle | None = None

    def send(self, reply: Reply, send: Callable[[], None], *, in_turn: bool) -> None:
        """Call ``send`` when the reply's delay is over, and if ``in_turn``, not before it is this machine's turn."""
        mac = reply.decision.case.sighting.mac
        loop = asyncio.get_running_loop()
        if in_turn:
            if not self._turns.join(mac, send, now=loop.time(), delay=reply.delay):
                complain("dhcp.no_place", mac=mac, why="too many machines wait for their turn; it asks again")
            self._next_turn()
        elif not reply.delay:
            send()
        elif mac not in self._waiting and len(self._waiting) < MOST_WAITING:
            self._waiting[mac] = loop.call_later(reply.delay, self._due, mac, send)

    def came_on(self, mac: str) -> None:
        """Take in that a machine has begun to fetch its files: it is the next one's turn."""
        self._turns.leave(mac)
        self._next_turn()

    def close(self) -> None:
        """Drop what waits."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        self._turns = Turns()
        if self._turn_timer:
            self._turn_timer.cancel()

    def _next_turn(self) -> None:
        """Send what is due, and come back when the next one is."""
        loop = asyncio.get_running_loop()
        if self._turn_timer:
            self._turn_timer.cancel()
        if send := self._turns.take(loop.time()):
            send()
        if (at := self._turns.next_at()) is not None:
            self._turn_timer = loop.call_at(at, self._next_turn)

    def _due(self, mac: str, send: Callable[[], None]) -> None:
        del self._waiting[mac]
        send()
