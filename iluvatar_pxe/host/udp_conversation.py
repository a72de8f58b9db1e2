"""A UDP port that talks to one peer above all: a connected socket for it, beside the one that hears everybody else."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack

from iluvatar_pxe.host.segmentation import Ancillary
from iluvatar_pxe.host.udp import NON_BLOCKING_UDP, Follow, Octets, Peer, UdpSocket

_LONGEST_DATAGRAM = 400
"""Bytes of what the peer sends, the rest is cut off. Python takes no memory from the C library for so few."""


class UdpConversation(UdpSocket):
    """A UdpSocket that talks to ``peer`` by a connected socket, which saves the kernel the route and Python the address.

    Both have the same port: the kernel gives the connected one what comes from the peer, and the other one the rest. Where
    the connected one cannot send (the peer's port was closed, and ICMP said so; no route) the other one does, which is
    never told of such. The same where there is no connected one: no file descriptor was left for it.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._peer: Peer | None = None
        self._connected: socket.socket | None = None
        self._follow: Follow | None = None
        self._on_followed: Callable[[], None] | None = None

    def connect(self, peer: Peer) -> None:
        """Say who the peer is, before anything is sent to it; never raises."""
        with ExitStack() as undo:
            try:
                sock = undo.enter_context(socket.socket(socket.AF_INET, NON_BLOCKING_UDP))
                self._share_port_with(sock)
                sock.connect(peer)
            except OSError:
                return
            undo.pop_all()
        self._peer, self._connected = peer, sock
        _discard_pending(sock)

    def start(self, on_datagram: Callable[[bytes, Peer], None], *, at_once: int = 1) -> None:
        super().start(on_datagram, at_once=at_once)
        if self._connected:
            asyncio.get_running_loop().add_reader(self._connected, self._receive_one)

    def answer_early(self, follow: Follow, on_followed: Callable[[], None]) -> None:
        """Send what ``follow`` returns for a datagram of the peer, then call ``on_followed``; if it is nothing, hand it over."""
        self._follow, self._on_followed = follow, on_followed

    def receive_pending(self, at_once: int = 0) -> None:
        for _ in range(at_once):
            if not self._receive_one():
                break
        super().receive_pending(at_once)

    def send(self, data: Octets, peer: Peer, *, heard: bool = False) -> bool:
        if self._connected is None or peer is not self._peer or self._backlog:
            return super().send(data, peer, heard=heard)
        try:
            self._connected.send(data, socket.MSG_CONFIRM if heard else 0)
        except OSError:
            return super().send(data, peer, heard=heard)
        return True

    def close(self) -> None:
        if self._connected:
            if self._loop is not None:
                self._loop.remove_reader(self._connected)
            self._connected.close()
        self._follow = self._on_followed = None
        super().close()

    def _send_segments(
        self, octets: memoryview, size: int, ancillary: Ancillary, peer: Peer, *, heard: bool
    ) -> bool:
        if self._connected is None or peer is not self._peer or self._backlog:
            return super()._send_segments(octets, size, ancillary, peer, heard=heard)
        try:
            self._connected.sendmsg([octets], ancillary, socket.MSG_CONFIRM if heard else 0)
        except OSError:
            return super()._send_segments(octets, size, ancillary, peer, heard=heard)
        return True

    def _receive_one(self) -> bool:
        peer, follow, on_followed = self._peer, self._follow, self._on_followed
        if self._connected is None or peer is None:
            return False
        try:
            data = self._connected.recv(_LONGEST_DATAGRAM)
        except OSError:  # nothing there, an ICMP error, or closed
            return False
        if follow and on_followed and self._loop and (answer := follow(data, self._loop.time())):
            self.send(answer, peer, heard=True)
            on_followed()
        else:
            self._hand_over(data, peer)
        return True

    def _share_port_with(self, other: socket.socket) -> None:
        """Bind ``other`` to this port too. No other program can: both agree to share it for this moment only."""
        both = (self._socket, other)
        for sock in both:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(self.local)
        finally:
            for sock in both:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _discard_pending(sock: socket.socket) -> None:
    """Drop what anybody sent between bind and connect: the peer did not know the port yet."""
    while True:
        try:
            sock.recv(1)
        except BlockingIOError:
            return
        except OSError:
            continue
