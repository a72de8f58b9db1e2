"""Who is heard first when more DHCP messages arrive than can be answered. No sockets, no clock: times are passed in."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from iluvatar_pxe.wire.dhcp import CHADDR

MOST_OF_ONE = 4
"""Messages of one sender that wait at once."""
REPEAT_SECONDS = range(1, 21)
"""How long after its first message a sender counts as one that asks again: firmware repeats after 1 to 16 s."""
STALE_SECONDS = 1.0
"""After which a message that waits makes room for another: its sender soon asks again, or has given up."""
_SLOTS = 1 << 20
_TICKS = 255

Work = Callable[[], None]


@dataclass(slots=True)
class Lane:
    """Messages that wait, the oldest first. ``share``: how many of them a turn takes; ``most`` wait at once."""

    share: int
    most: int
    waiting: deque[tuple[float, bytes, Work]] = field(default_factory=deque)
    senders: Counter[bytes] = field(default_factory=Counter)

    def makes_place(self, sender: bytes, now: float) -> bool:
        """Say whether one more message of a sender may wait, if need be in the place of one that is stale."""
        if self.senders.get(sender, 0) >= MOST_OF_ONE:
            return False
        if len(self.waiting) >= self.most and now - self.waiting[0][0] > STALE_SECONDS:
            self.take()
        return len(self.waiting) < self.most

    def put(self, sender: bytes, work: Work, now: float) -> None:
        """Let a message wait."""
        self.senders[sender] += 1
        self.waiting.append((now, sender, work))

    def take(self) -> Work:
        """Return the work of the message that waits longest."""
        _, sender, work = self.waiting.popleft()
        self.senders[sender] -= 1
        if not self.senders[sender]:
            del self.senders[sender]
        return work


class Intake:
    """Three lanes: machines that are known, senders that ask again, and all others; each has a share of every turn.

    A storm fills the last lane, whatever MACs it invents. A machine that is in the middle of a boot, or whose first
    message was lost in the storm, waits in another.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        """``is_known`` says by its MAC whether a machine has booted here before, or is listed."""
        self._is_known = is_known
        self._askers = Askers()
        self._known, self._again, self._new = self._lanes = Lane(8, 1024), Lane(2, 256), Lane(1, 256)

    def __bool__(self) -> bool:
        """Say whether anything waits."""
        return any(lane.waiting for lane in self._lanes)

    def put(self, data: bytes, work: Callable[[], Work], now: float) -> bool:
        """Let a message wait for its turn; return False where it finds no place, which has to cost as little as can be.

        ``work`` is called at once where there is a place, and returns what is to be done in its turn.
        """
        sender = data[CHADDR]
        lane = self._lane_of(sender, now)
        if not lane.makes_place(sender, now):
            return False
        lane.put(sender, work(), now)
        return True

    def turn(self) -> list[Work]:
        """Take the work of one turn; there is none when nothing waits."""
        return [lane.take() for lane in self._lanes for _ in range(min(lane.share, len(lane.waiting)))]

    def clear(self) -> None:
        """Drop what waits."""
        for lane in self._lanes:
            lane.waiting.clear()
            lane.senders.clear()

    def _lane_of(self, sender: bytes, now: float) -> Lane:
        if self._is_known(sender.hex(":")):
            return self._known
        return self._again if self._askers.asks_again(sender, now) else self._new


class Askers:
    """When senders asked first: a table of fixed size, so that a storm of invented MACs costs no memory.

    It may forget a sender for another one that comes to the same place; that one asks for the first time then, but for
    one in 256, which is taken for the other.
    """

    def __init__(self) -> None:
        self._first = memoryview(bytearray(2 * _SLOTS)).cast("H")

    def asks_again(self, sender: bytes, now: float) -> bool:
        """Take in that a sender asks; say whether it asked before, at least a second ago and not long ago."""
        number = hash(sender)
        slot, mark = number % _SLOTS, number >> 40 & 0xFF
        tick = int(now) % _TICKS + 1
        known_mark, first = divmod(self._first[slot], 256)
        age = (tick - first) % _TICKS if first and known_mark == mark else _TICKS
        if age in REPEAT_SECONDS:
            return True
        if age:
            self._first[slot] = mark << 8 | tick
        return False
