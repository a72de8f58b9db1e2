"""One TFTP read transfer as a state machine without sockets, files or clock.

Theory of operation. Blocks have absolute numbers here, from 1 on; only the wire sees them modulo 65536.
Three of them say everything:

    base   the last block that the client acknowledged (0: only the OACK, or nothing yet)
    next   the next block to send
    high   the highest block ever sent, so base <= high <= base + windowsize

    event                               what happens                                        evidence
    ACK of base+1 .. high               base moves there; if less than high, what follows   RFC 7440 section 4
                                        was lost and goes out again, within the allowance
    ACK of base, windowsize 1           nothing: else every block is sent twice for ever    RFC 1123 4.2.3.1
    ACK of base, windowsize > 1         the first block of the window was lost: the         RFC 7440 section 4
                                        window goes out again, unless blocks up to base
                                        were themselves repeated, for then the ACK may be
                                        the echo of our own repetition; within the allowance
    any other ACK                       nothing: old, or of a block never sent
    the deadline passes                 the window goes out again; the next wait is longer
    ERROR                               the end

The allowance: each acknowledged block pays for ``ALLOWANCE`` blocks repeated because of ACKs, so a peer that
acknowledges every block of a window (by error, or to have us flood somebody) gets the file that many times more,
not ``windowsize`` times. Beyond, base still moves, new blocks go out, and the deadline repeats the rest.

The client's ``timeout`` holds from its first ACK on: RFC 2349 negotiates it, and what is negotiated is agreed only
with the ACK of the OACK (RFC 2347). Until then the default waits apply, or 255 s each would be had for one request.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.tftp.options import Terms
from iluvatar_pxe.wire.tftp.packet import (
    ACK,
    Error,
    ErrorCode,
    OptionAck,
    ack_packet,
    data_packet,
    decode,
    encode,
    write_data_headers,
)

FIRST_TIMEOUT = 1
"""Seconds until the first retransmission, unless the client chose them (RFC 2349) and has sent an ACK."""
LONGEST_TIMEOUT = 8
"""Seconds at which the doubling of the wait ends."""
RETRANSMISSIONS = 5
"""How often one position is sent again before the client counts as gone (31 s by default)."""
ALLOWANCE = 4
"""Blocks repeated at most for each one acknowledged: as many as a window of 64 needs on a link that loses 5 %."""
READ_SIZE = 64 * 1024
"""Bytes of the file that are asked for at once."""
LOCK_STEP_READ_SIZE = 16 * 1024
"""The same without windows: it is enough for a dozen blocks, and many such clients at once take little memory."""

_MOST_READ = 128
"""Blocks that are written at once, however short they are."""
_LONGEST_PREPARED = 128 * 1024
"""Bytes of a window that is at hand before it is due: it takes that much memory more."""
_NOTHING = memoryview(b"")


def _read_size(terms: Terms) -> int:
    """Return how many octets are read at once: a window, where that is neither so short that it costs nor long.

    A client that is alone waits while more is read: with windowsize 16, a fifth of the time.
    """
    window = terms.windowsize * terms.blksize
    if terms.windowsize == 1:
        return LOCK_STEP_READ_SIZE
    return window if LOCK_STEP_READ_SIZE <= window < READ_SIZE else READ_SIZE


class Outcome(StrEnum):
    """How a read request ended."""

    DONE = "done"
    PROBE = "probe"
    """Ended by the client before it acknowledged a block. UEFI PXE does so to every file: it asks for
    ``tsize``, answers the OACK with ERROR 8, and asks again (seen with OVMF and AAVMF 2022.11)."""
    ABORTED = "aborted"
    TIMEOUT = "timeout"
    FAILED = "failed"
    MISSING = "missing"
    """There is no such file; the server says so without a transfer."""


class Ending(Struct, frozen=True):
    """Why no more datagrams will come."""

    outcome: Outcome
    bytes: int
    """Bytes of the file that the client acknowledged."""
    reason: str


class ReadTransfer:
    """Sends one file of ``size`` bytes to one client on agreed terms.

    The caller brings in what happens (``receive``, ``supply``, ``expire``, ``fail``), and after each of them
    sends what ``datagrams_to_send`` returns, reads what is ``wanted``, and waits until ``deadline``.
    While it waits, it may ``prepare`` what nearly always comes next, and then ask ``follow`` before ``receive``.
    Times are seconds of any clock that does not go back. Nothing here raises, whatever the client sends.
    """

    def __init__(self, size: int, terms: Terms) -> None:
        self.size = size
        self.terms = terms
        self.ending: Ending | None = None
        self.segment = terms.blksize + 4
        """Octets of a DATA but the last."""
        self._blksize = terms.blksize
        self._windowsize = terms.windowsize
        self._window_size = terms.windowsize * self.segment
        self._read_at_once = min(max(1, _read_size(terms) // terms.blksize), _MOST_READ)  # blocks
        is_short = terms.windowsize * terms.blksize <= _LONGEST_PREPARED
        self._read_ahead = max(self._read_at_once, terms.windowsize if is_short else 0)  # blocks
        self._first_wait = terms.timeout or FIRST_TIMEOUT
        self._last = size // terms.blksize + 1  # shorter than blksize, if need be empty
        self._base = self._high = 0
        self._next = 1
        self._spent = 0  # blocks that went out again because of ACKs: the allowance used up
        self._repeated = -1  # the highest block that was sent more than once; the OACK counts as block 0
        self._oack_pending = self._negotiating = bool(terms.accepted)
        self._farewell: Error | None = None
        self._acknowledged = False
        self._expired = 0  # deadlines since the client's last progress
        self._progressed = False  # the deadline is to count anew, even if nothing is due
        self._deadline: float | None = None
        self._room = _NOTHING
        self._written = memoryview(data_packet(1, b"") if size == 0 else b"")  # DATA of blocks, in ``_room``
        self._behind = 0  # the last block before these: base, or less
        self._complete = 1 if size == 0 else 0  # the last block of these
        self._fed_until = -1  # nothing is wanted while base is not beyond it
        self._ready_until = 0  # while ``high`` is less, the window behind it is written
        self._follows: bytes | None = None  # the ACK that the next window answers, if that is written

    @property
    def acknowledged(self) -> bool:
        """The client has sent a valid ACK, if only of the options: it exists, and hears us."""
        return self._acknowledged

    @property
    def repeats(self) -> bool:
        """A block had to be sent again, so that this client or the way to it loses what it is sent."""
        return self._repeated > 0

    @property
    def stalled(self) -> bool:
        """Blocks were acknowledged, and then nothing until a deadline passed: the client may have restarted."""
        return self._base > 0 and self._expired > 0

    def receive(self, datagram: bytes) -> None:
        """Take one datagram from the client; what is not an ACK or ERROR is passed over."""
        if self.ending:
            return
        if datagram[:2] == ACK and len(datagram) >= 4:  # what comes most often, so without an object
            self._acknowledge(datagram[2] << 8 | datagram[3])
            return
        try:
            packet = decode(datagram)
        except WireError:
            return
        if isinstance(packet, Error):
            outcome = Outcome.ABORTED if self._base else Outcome.PROBE
            self._end(outcome, f"the client ended it with error {packet.code}: {packet.message!r}")

    def prepare(self) -> None:
        """Have ``follow`` answer the ACK of all that is in flight, if what comes then is at hand and the client keeps up."""
        high = self._high
        self._follows = None
        if (
            not self._expired
            and self._acknowledged
            and self._base < self._next - 1 == high < self._ready_until
        ):
            self._follows = ack_packet(high)

    def follow(self, datagram: bytes, now: float) -> memoryview:
        """Return the next window and count it as sent, if ``datagram`` is the ACK of all that was in flight.

        That are datagrams of ``segment`` octets one behind the other, of which the last may be shorter; they stay
        until ``supply``. This is what ``receive`` and ``datagrams_to_send`` would do. For any other datagram nothing
        is done or returned.
        """
        if datagram != self._follows:
            return _NOTHING
        base = self._base = self._high
        high = base + self._windowsize
        if high < self._ready_until:
            self._follows = ack_packet(high)
        else:
            self._follows = None
            high = min(high, self._last)
        self._high, self._next = high, high + 1
        self._deadline = now + self._first_wait
        start = (base - self._behind) * self.segment
        return self._written[start : start + self._window_size]

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Return the datagrams that are due, in order, and count them as sent."""
        if self._farewell:
            farewell, self._farewell = self._farewell, None
            return [encode(farewell)]
        datagrams = self._due() if self.ending is None else []
        if datagrams or self._progressed:
            self._deadline = now + self._wait()
            self._progressed = False
        return datagrams

    def deadline(self) -> float | None:
        """Return when to call ``expire``, or None while nothing waits for the client."""
        in_flight = self._negotiating or self._high > self._base
        return self._deadline if in_flight and self.ending is None else None

    def expire(self, now: float) -> None:
        """Repeat what was not acknowledged, or give up, if the deadline has passed."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return
        if self._expired == RETRANSMISSIONS:
            self._end(Outcome.TIMEOUT, self._silence())
            return
        self._expired += 1
        if self._negotiating:
            self._oack_pending, self._repeated = True, 0
        else:
            self._rewind()

    def wanted(self) -> tuple[int, int] | None:
        """Return (offset, length) of the file to ``supply`` next, or None if enough is at hand.

        A client that never answers costs no more than what is sent to it: nothing is read ahead before its first ACK.
        """
        if self._base <= self._fed_until or self.ending or self._negotiating:
            return None
        wanted = self._base + self._windowsize
        if not self._acknowledged:
            length = min(wanted, self._complete + self._read_at_once) - self._complete
        elif self._complete < wanted + self._read_ahead:
            length = self._read_at_once
        else:
            length = 0
        offset = self._complete * self._blksize
        length = min(length * self._blksize, self.size - offset)
        return (offset, length) if length > 0 else None

    def supply(self, offset: int, data: bytes) -> None:
        """Hand over what was ``wanted`` at ``offset``; fewer bytes than wanted end the transfer."""
        wanted = self.wanted()
        if wanted is None or wanted[0] != offset:
            return
        if len(data) < wanted[1]:
            self.fail(f"the file became shorter than {self.size} bytes while it was sent")
            return
        self.fill(partial(_spread, memoryview(data)))

    def fill(self, read: Callable[[int, Sequence[memoryview]], bool]) -> bool:
        """Have ``read`` put what is ``wanted`` into places for the payload of each block; return whether it did.

        It gets the offset in the file and the places, and returns False if it could not fill all of them.
        """
        wanted = self.wanted()
        if wanted is None:
            return False
        offset, length = wanted
        count = length // self._blksize
        is_end = offset + length == self.size
        start, end = self._make_room(length + 4 * (count + is_end))
        write_data_headers(self._room, start, self._complete + 1, count + is_end, self._blksize)
        whole = self._room[:end]
        if not read(offset, [whole[at : at + self._blksize] for at in range(start + 4, end, self.segment)]):
            return False
        self._written = whole
        if is_end:
            self._complete = self._fed_until = self._ready_until = self._last
        else:
            self._complete += count
            self._fed_until = self._complete - self._read_ahead - self._windowsize
            self._ready_until = self._complete - self._windowsize + 1
        return True

    def fail(self, reason: str, code: ErrorCode = ErrorCode.NOT_DEFINED) -> None:
        """End the transfer from our side, with an ERROR to the client."""
        if self.ending is None:
            self._farewell = Error(code, reason)
            self._end(Outcome.FAILED, reason)

    def abandon(self, reason: str) -> None:
        """End the transfer without a word to the client, because the client has given it up."""
        if self.ending is None:
            self._end(Outcome.ABORTED, reason)

    @property
    def _offset(self) -> int:
        return min(self._base * self._blksize, self.size)

    def _acknowledge(self, number: int) -> None:
        if self._negotiating:
            if number == 0:
                self._negotiating, self._expired = False, 0
                self._acknowledged = True
            return
        progress = (number - self._base) & 0xFFFF
        if progress == 0:
            if self._windowsize > 1 and self._repeated < self._base < self._high:
                self._rewind_if_allowed()
        elif progress <= self._high - self._base:
            self._advance(progress)

    def _advance(self, blocks: int) -> None:
        self._base += blocks
        if self._next <= self._base:
            self._next = self._base + 1
        self._expired = 0
        self._acknowledged = self._progressed = True
        if self._base == self._last:
            self._end(Outcome.DONE, "complete")
        elif self._base < self._high:
            self._rewind_if_allowed()

    def _rewind_if_allowed(self) -> None:
        cost = self._high - self._base
        if self._spent + cost <= ALLOWANCE * self._base + self._windowsize:
            self._spent += cost
            self._rewind()

    def _rewind(self) -> None:
        self._next = self._base + 1
        self._repeated = self._high

    def _wait(self) -> int:
        wait = self._first_wait if self._acknowledged else FIRST_TIMEOUT
        return min(wait << self._expired, max(wait, LONGEST_TIMEOUT))

    def _due(self) -> list[bytes]:
        if self._oack_pending:
            self._oack_pending = False
            return [encode(OptionAck(self.terms.accepted))]
        if self._negotiating:
            return []
        first, behind = self._next, min(self._base + self._windowsize, self._last, self._complete) + 1
        if first >= behind:
            return []
        self._next = behind
        if behind > self._high:
            self._high = behind - 1
        self._follows = None
        size = self.segment
        starts = range((first - 1 - self._behind) * size, (behind - 1 - self._behind) * size, size)
        return [bytes(self._written[start : start + size]) for start in starts]

    def _make_room(self, octets: int) -> tuple[int, int]:
        """Drop the blocks that were acknowledged, and return where so many octets after the others begin and end."""
        kept = self._written[(self._base - self._behind) * self.segment :]
        start = len(kept)
        if len(self._room) < start + octets:
            self._room = memoryview(bytearray(start + octets))
        self._room[:start] = kept
        self._written, self._behind = self._room[:start], self._base
        return start, start + octets

    def _silence(self) -> str:
        if self._negotiating:
            return "the client never acknowledged the options"
        if self._high == self._last:
            return f"the client never acknowledged the last blocks, from {self._base + 1} of {self._last}"
        return f"the client fell silent after block {self._base} of {self._last}"

    def _end(self, outcome: Outcome, reason: str) -> None:
        self.ending = Ending(outcome, self._offset, reason)
        self._room = self._written = _NOTHING
        self._ready_until, self._follows = 0, None


def _spread(data: memoryview, _offset: int, places: Sequence[memoryview]) -> bool:
    start = 0
    for place in places:
        place[:] = data[start : start + len(place)]
        start += len(place)
    return True
