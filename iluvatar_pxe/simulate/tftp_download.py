"""One TFTP download as a state machine: datagrams and the time in, datagrams and the next deadline out.

The receiver of RFC 1350 and RFC 7440: it acknowledges whole windows, and at once what ends a gap. It repeats the
request, and then its last ACK, after the waits of its firmware; when the last of those has passed it gives up.
"""

import re
from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.wire.tftp.packet import (
    Ack,
    Data,
    Error,
    ErrorCode,
    OptionAck,
    Options,
    Packet,
    ReadRequest,
    decode,
    encode,
)

Peer = tuple[str, int]
_HALF = 0x8000
_LAST_NUMBER = 0xFFFF
_VALUE = re.compile(r"[0-9]{1,18}")
_NAMED = 40


class Manner(Struct, frozen=True):
    """How a firmware asks for a file."""

    options: Options = ()
    request_waits: tuple[float, ...] = (4.0,) * 6
    """Seconds after each sending of the request."""
    ack_waits: tuple[float, ...] = (4.0,) * 6
    """Seconds after each sending of an ACK; an ACK is repeated until they are used up."""
    file_seconds: float | None = None
    """How long one file may take."""
    abort: Error | None = None
    """A probe: the firmware ends it with this ERROR once it knows that the file is there."""
    rolls_over: bool = True
    """Block 0 follows block 65,535; otherwise the firmware can take no more."""


class Outcome(StrEnum):
    """How a download ended."""

    DONE = "done"
    FOUND = "found"
    """A probe that the server answered."""
    MISSING = "missing"
    REFUSED = "refused"
    SILENCE = "silence"


class Download:
    """Fetches one file from ``server``."""

    def __init__(self, name: str, server: Peer, manner: Manner, now: float) -> None:
        self.content = Content()
        self.outcome: Outcome | None = None
        self.reason = ""
        self._server = server
        self._manner = manner
        self._peer: Peer | None = None
        self._blksize, self._windowsize = 512, 1
        self._block = self._acknowledged = 0
        self._gap = False  # a gap was acknowledged, and nothing has filled it yet
        self._last: Packet = ReadRequest(name, "octet", manner.options)
        self._waits = list(manner.request_waits)
        self._end = None if manner.file_seconds is None else now + manner.file_seconds
        self._deadline = now
        self._outgoing: list[tuple[Packet, Peer]] = []
        self._send(self._last, now)

    def datagrams_to_send(self) -> list[tuple[bytes, Peer]]:
        """Return what is due, with where it goes, and count it as sent."""
        due, self._outgoing = self._outgoing, []
        return [(encode(packet), peer) for packet, peer in due]

    def deadline(self) -> float | None:
        """Return when to call ``expire``; None when all is over."""
        if self.outcome:
            return None
        return self._deadline if self._end is None else min(self._deadline, self._end)

    def expire(self, now: float) -> None:
        """Repeat the last packet, or give up, if the deadline has passed."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return
        if self._waits and (self._end is None or now < self._end):
            self._send(self._last, now)
        else:
            self._finish(Outcome.SILENCE, f"the TFTP server fell silent after {self.content.size} bytes")

    def receive(self, datagram: bytes, source: Peer, now: float) -> None:
        """Take a datagram; what does not decode is passed over."""
        if self.outcome or source[0] != self._server[0]:
            return
        try:
            packet = decode(datagram)
        except WireError:
            return
        if self._peer not in {None, source}:
            stray = Error(ErrorCode.UNKNOWN_TRANSFER_ID, "unknown transfer")
            self._outgoing.append((stray, source))
            return
        if isinstance(packet, Error):
            missing = packet.code == ErrorCode.FILE_NOT_FOUND
            text = f"the TFTP server says {packet.message!r} (error {packet.code})"
            self._finish(Outcome.MISSING if missing else Outcome.REFUSED, text)
        elif isinstance(packet, Data | OptionAck):
            self._peer = source
            self._take(packet, now)

    def _take(self, packet: Data | OptionAck, now: float) -> None:
        if isinstance(packet, OptionAck) and self._block == 0:
            fault = self._agree(packet.options)
            if fault:
                self._abort(Error(ErrorCode.OPTION_REFUSED, "bad options"), Outcome.REFUSED, fault)
                return
        if self._manner.abort:
            self._abort(self._manner.abort, Outcome.FOUND, "")
        elif isinstance(packet, Data):
            self._data(packet, now)
        elif self._block == 0:
            self._acknowledge(now)

    def _agree(self, options: Options) -> str:
        """Take over what the server grants; return what is wrong with it."""
        asked = dict(self._manner.options)
        for name, value in options:
            if name not in asked or not _VALUE.fullmatch(value):
                return f"the TFTP server's OACK has {f'{name}={value}'[:_NAMED]!r}, which was not asked for"
        granted = {name: int(value) for name, value in options}
        for name in ("blksize", "windowsize"):
            if granted.get(name, 0) > int(asked.get(name, 0)):
                return f"the TFTP server's OACK has {name} {granted[name]}, more than was asked for"
        if granted.get("blksize") == 0:
            return "the TFTP server's OACK has blksize 0"
        self._blksize = granted.get("blksize", self._blksize)
        self._windowsize = max(granted.get("windowsize", 1), 1)
        return ""

    def _data(self, packet: Data, now: float) -> None:
        ahead = (packet.block - self._block) & 0xFFFF
        if ahead == 1:
            self._block += 1
            self._gap = False
            self.content.add(packet.payload)
            if len(packet.payload) < self._blksize:
                self._outgoing.append((Ack(self._block & 0xFFFF), self._peer or self._server))
                self._finish(Outcome.DONE, "")
            elif self._block == _LAST_NUMBER and not self._manner.rolls_over:
                text = f"the file has more than {_LAST_NUMBER:,} blocks, and this firmware counts no further"
                self._finish(Outcome.REFUSED, text)
            elif self._block - self._acknowledged >= self._windowsize:
                self._acknowledge(now)
        elif ahead == 0 or (ahead < _HALF and not self._gap):
            self._gap = ahead != 0
            self._acknowledge(now)

    def _acknowledge(self, now: float) -> None:
        self._acknowledged = self._block
        self._waits = list(self._manner.ack_waits)
        self._send(Ack(self._block & 0xFFFF), now)

    def _send(self, packet: Packet, now: float) -> None:
        self._last = packet
        self._outgoing.append((packet, self._peer or self._server))
        self._deadline = now + self._waits.pop(0)

    def _abort(self, error: Error, outcome: Outcome, reason: str) -> None:
        self._outgoing.append((error, self._peer or self._server))
        self._finish(outcome, reason)

    def _finish(self, outcome: Outcome, reason: str) -> None:
        self.outcome, self.reason = outcome, reason
