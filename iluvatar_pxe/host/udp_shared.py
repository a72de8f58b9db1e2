"""A UDP port for many conversations at once: what all the peers sent is read by one system call, and answered by another."""

import asyncio
import math
import socket
import struct
from collections.abc import Callable

import structlog

from iluvatar_pxe.host.udp import Follow, Octets, Peer, UdpSocket, enlarge_receive_buffer
from iluvatar_pxe.host.udp_batch import PLACE, UdpBatch, number_of

_AT_ONCE = 64
_BUFFER = 1024 * 1024
"""Bytes that may wait in the kernel in either direction: a short datagram takes about 1 KiB of that."""
_REMEMBERED = 60.0
"""Seconds after a conversation in which its peer is nobody here: datagrams of it may be late, or come twice."""
_MOST_REMEMBERED = 4096

_SHORT = 4
"""Octets of what peers send most: an ACK of TFTP."""
_beginnings = struct.Struct(f"{_SHORT}s{PLACE - _SHORT}x").iter_unpack

_log = structlog.get_logger()


class SharedUdp(UdpSocket):
    """A UDP port whose peers are told apart by address and port; ``start`` says who hears of strangers.

    With the last conversation the port is closed.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        enlarge_receive_buffer(sock, _BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._batch = UdpBatch(sock, _AT_ONCE)
        self._conversations: dict[int, SharedConversation] = {}
        self._left: dict[int, float] = {}  # whose conversation ended, and when

    @property
    def is_closed(self) -> bool:
        return self._socket.fileno() < 0

    def converse(self, peer: Peer) -> "SharedConversation | None":
        """Begin a conversation, or return None: this peer has one here, or had one until a moment ago."""
        number = number_of(peer)
        if number in self._conversations or self._has_just_left(number):
            return None
        self._left.pop(number, None)
        conversation = self._conversations[number] = SharedConversation(self, peer)
        return conversation

    def receive_pending(self, at_once: int = 0) -> None:
        """Hand over what has already arrived, a batch of it or as many as ``at_once`` asks for; never raises."""
        for _ in range(0, at_once or 1, _AT_ONCE):
            if self._receive_batch() < _AT_ONCE:
                break

    def leave(self, peer: Peer) -> None:
        """End the conversation with this peer, if there is one; the last one closes the port."""
        number = number_of(peer)
        if self._conversations.pop(number, None) is None:
            return
        self._left[number] = asyncio.get_running_loop().time()
        if len(self._left) > _MOST_REMEMBERED:
            del self._left[next(iter(self._left))]
        if not self._conversations:
            self.close()

    def _receive_batch(self) -> int:
        """Send the answers that were prepared, each from the place of its question, and only then have others prepared."""
        batch = self._batch
        lengths = batch.receive()
        octets, sizes, now = batch.octets, batch.sizes, asyncio.get_running_loop().time()
        conversations, followed = self._conversations, []
        first = number = 0
        for sender, length, (start,) in zip(batch.senders, lengths, _beginnings(octets), strict=False):
            place = number * PLACE
            data = start if length == _SHORT else octets[place : place + length].tobytes()
            conversation = conversations.get(sender)
            answer = conversation.follow(data, now) if conversation else b""
            size = len(answer)
            if conversation and size:
                followed.append(conversation)
            if 0 < size <= PLACE:
                octets[place : place + size] = answer
                sizes[number] = size
            else:
                self._send_answers(first, number)
                first = number + 1
                self._take(conversation, answer, data, number)
            number += 1
        self._send_answers(first, number)
        for conversation in followed:
            conversation.on_followed()
        return number

    def _take(
        self, conversation: "SharedConversation | None", answer: Octets, data: bytes, number: int
    ) -> None:
        """Send an answer that has no place in the batch; if there is none, hand over the datagram."""
        if conversation and answer:
            self.send(answer, conversation.peer, heard=True)
        elif conversation:
            conversation.hand_over(data)
        elif not self._has_just_left(self._batch.senders[number]):
            self._hand_over(data, self._batch.sender(number))

    def _send_answers(self, start: int, end: int) -> None:
        if start < end:
            self._batch.send(start, end, socket.MSG_CONFIRM, self._send_later)

    def _send_later(self, number: int) -> None:
        """Send an answer of the batch by itself, if need be once there is room in the kernel."""
        place = number * PLACE
        data = self._batch.octets[place : place + self._batch.sizes[number]].tobytes()
        self.send(data, self._batch.sender(number), heard=True)

    def _has_just_left(self, number: int) -> bool:
        return self._left.get(number, -math.inf) > asyncio.get_running_loop().time() - _REMEMBERED


class SharedConversation:
    """What a UdpConversation is, by a port that others share."""

    def __init__(self, port: SharedUdp, peer: Peer) -> None:
        self.peer = peer
        self.follow: Follow = _follow_nothing
        self.on_followed: Callable[[], None] = _ignore
        self._port = port
        self._on_datagram: Callable[[bytes, Peer], None] | None = None

    @property
    def local(self) -> Peer:
        """The address and port of this side."""
        return self._port.local

    def start(self, on_datagram: Callable[[bytes, Peer], None]) -> None:
        """Call ``on_datagram(data, peer)`` for every datagram of the peer from now on, until ``close``."""
        self._on_datagram = on_datagram

    def answer_early(self, follow: Follow, on_followed: Callable[[], None]) -> None:
        """Send what ``follow`` returns for a datagram, then call ``on_followed``; if it is nothing, call ``on_datagram``."""
        self.follow, self.on_followed = follow, on_followed

    def receive_pending(self, at_once: int) -> None:
        """Hand over what has already arrived, of the others too."""
        self._port.receive_pending(at_once)

    def send(self, data: Octets, peer: Peer, *, heard: bool = False) -> bool:
        """Send one datagram, as ``UdpSocket.send`` does."""
        return self._port.send(data, peer, heard=heard)

    def send_burst(self, octets: Octets, size: int, peer: Peer, *, heard: bool = False) -> bool:
        """Send many datagrams, as ``UdpSocket.send_burst`` does."""
        return self._port.send_burst(octets, size, peer, heard=heard)

    def hand_over(self, data: bytes) -> None:
        """Take a datagram of the peer; never raises."""
        if self._on_datagram is None:
            return
        try:
            self._on_datagram(data, self.peer)
        except Exception as error:  # noqa: BLE001 - the last resort: one datagram must not stop a server
            _log.error("udp.handler_failed", peer=self.peer, error=repr(error))

    def close(self) -> None:
        """End the conversation; may be called again."""
        self._on_datagram = None
        self.follow, self.on_followed = _follow_nothing, _ignore
        self._port.leave(self.peer)


def _follow_nothing(_data: bytes, _now: float) -> bytes:
    return b""


def _ignore() -> None:
    pass
