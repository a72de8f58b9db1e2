"""Whose reply goes out when machines are answered one at a time. No timers: times, of one clock, are passed in."""

from collections.abc import Callable

from msgspec import Struct

MOST_QUEUED = 64
"""Machines that wait at once; anybody can ask in any name, and who finds no place asks again."""
TURN_SECONDS = 1.0
"""How long others wait for one that got its reply and fetches nothing. Twenty that ask in step, five times 5 s apart
and with 1.5 s of delay after each, all have their turn then, even if none of them ever goes on."""
LISTENS_SECONDS = 6.0
"""How old a reply may become. A Pi 3 asks every 5 s and keeps its place; who did not ask again listens no more."""


class _Waiting(Struct, frozen=True):
    send: Callable[[], None]
    asked: float
    due: float


class Turns:
    """A queue by MAC: first come, first served, and who was served joins at its end."""

    def __init__(self) -> None:
        self._queue: dict[str, _Waiting] = {}
        self._served = ""
        self._free_at = 0.0

    def join(self, mac: str, send: Callable[[], None], *, now: float, delay: float) -> bool:
        """Queue a reply that is due after ``delay``, or put it in the place of the machine's earlier one.

        Returns False when there is no place. Who asks again before its reply is due does not put that off.
        """
        self._drop_stale(now)
        earlier = self._queue.get(mac)
        if not earlier and len(self._queue) >= MOST_QUEUED:
            return False
        due = earlier.due if earlier and earlier.due > now else now + delay
        self._queue[mac] = _Waiting(send, now, due)
        return True

    def leave(self, mac: str) -> None:
        """End a machine's turn, if it is its turn."""
        if mac == self._served:
            self._free_at = 0.0

    def take(self, now: float) -> Callable[[], None] | None:
        """Begin the turn of the first whose reply is due, and return what sends it; None: it is nobody's yet."""
        self._drop_stale(now)
        mac = next((mac for mac, waiting in self._queue.items() if waiting.due <= now), None)
        if mac is None or now < self._free_at:
            return None
        self._served, self._free_at = mac, now + TURN_SECONDS
        return self._queue.pop(mac).send

    def next_at(self) -> float | None:
        """Return when to ``take`` next; None: nobody waits."""
        first_due = min((waiting.due for waiting in self._queue.values()), default=None)
        return None if first_due is None else max(first_due, self._free_at)

    def _drop_stale(self, now: float) -> None:
        for mac in [mac for mac, waiting in self._queue.items() if now - waiting.asked > LISTENS_SECONDS]:
            del self._queue[mac]
