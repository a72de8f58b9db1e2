"""IPv4 UDP sockets on asyncio's event loop, by ``add_reader``: one socket, one callback, no surprises."""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

import structlog

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host import segmentation

Peer = tuple[str, int]
"""IPv4 address as text, UDP port."""
Octets = bytes | memoryview
Follow = Callable[[bytes, float], Octets]
"""Given a datagram and the loop's time, returns the one that was prepared to answer it, or nothing."""

_LONGEST_DATAGRAM = 4096
"""Bytes; nothing that boots a machine sends a longer one, so the rest of such a datagram is cut off."""
_DATAGRAMS_AT_ONCE = 64
_SO_RCVBUFFORCE = 33
_BACKLOG = 4 * 1024 * 1024
"""Bytes that wait at most for the kernel's send buffer to empty."""

NON_BLOCKING_UDP = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK

_log = structlog.get_logger()


class UdpSocket:
    """A bound, non-blocking IPv4 UDP socket, used from one event loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_datagram: Callable[[bytes, Peer], None] | None = None
        self._backlog: deque[tuple[bytes, Peer]] = deque()
        self._backlog_bytes = 0
        self._at_once = _DATAGRAMS_AT_ONCE

    @classmethod
    def open(
        cls,
        address: str,
        port: int,
        *,
        device: str | None = None,
        broadcast: bool = False,
        reuse_address: bool = False,
        receive_buffer: int = 0,
    ) -> Self:
        """Bind ``address``:``port``, see ``bind_udp``; raises ServerError."""
        sock = bind_udp(address, port, device=device, broadcast=broadcast, reuse_address=reuse_address)
        if receive_buffer:
            enlarge_receive_buffer(sock, receive_buffer)
        return cls(sock)

    @property
    def local(self) -> Peer:
        """The address and port that it is bound to."""
        address, port = self._socket.getsockname()
        return address, port

    def start(self, on_datagram: Callable[[bytes, Peer], None], *, at_once: int = _DATAGRAMS_AT_ONCE) -> None:
        """Call ``on_datagram(data, peer)`` from the running loop for every datagram, until ``close``.

        At most ``at_once`` of them in a row, so that a flood on one socket leaves the other sockets their turn.
        """
        self._on_datagram = on_datagram
        self._at_once = at_once
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self.receive_pending)

    def receive_pending(self, at_once: int = 0) -> None:
        """Hand over what has already arrived, up to a bound, which is that of ``start`` by default; never raises."""
        for _ in range(at_once or self._at_once):
            try:
                data, peer = self._socket.recvfrom(_LONGEST_DATAGRAM)
            except OSError:  # nothing more there, a pending ICMP error, or closed by the callback
                return
            self._hand_over(data, peer)

    def send(self, data: Octets, peer: Peer, *, heard: bool = False) -> bool:
        """Send one datagram; return whether the kernel took it, or will when its send buffer has room.

        ``heard``: the peer has just answered, so the kernel need not ask by ARP whether it is still there
        (MSG_CONFIRM). The boot ROM of a Raspberry Pi 3B answers no ARP in the middle of a transfer.
        False means lost, as on the wire: no route, forbidden by a firewall, too long, an impossible port.
        """
        if self._backlog:
            return self._postpone(data, peer)
        try:
            self._socket.sendto(data, socket.MSG_CONFIRM if heard else 0, peer)
        except BlockingIOError:
            return self._postpone(data, peer)
        except OSError:
            return False
        return True

    def send_burst(self, octets: Octets, size: int, peer: Peer, *, heard: bool = False) -> bool:
        """Send datagrams of ``size``, of which the last may be shorter, one behind the other, by as few calls as there can be.

        Each goes out as by ``send``, in order. Returns False where kernel, card or route refuse to cut them
        (segment longer than the MTU, a card that makes no checksums): then they went out one by one.
        """
        is_taken = segmentation.is_offered()
        for some, ancillary in segmentation.calls(octets, size):
            is_taken = is_taken and self._send_segments(some, size, ancillary, peer, heard=heard)
            if not is_taken:
                for datagram in segmentation.datagrams(some, size):
                    self.send(datagram, peer, heard=heard)
        return is_taken

    def close(self) -> None:
        """Stop receiving and free the port; may be called again."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._loop = None
        self._on_datagram = None  # often a method of this socket's owner: a cycle, which lives on for long
        self._backlog.clear()
        self._socket.close()

    def _hand_over(self, data: bytes, peer: Peer) -> None:
        if self._on_datagram is None:
            return
        try:
            self._on_datagram(data, peer)
        except Exception as error:  # noqa: BLE001 - the last resort: one datagram must not stop a server
            _log.error("udp.handler_failed", peer=peer, error=repr(error))

    def _send_segments(
        self, octets: memoryview, size: int, ancillary: segmentation.Ancillary, peer: Peer, *, heard: bool
    ) -> bool:
        if self._backlog:
            return self._postpone_all(octets, size, peer)
        try:
            self._socket.sendmsg([octets], ancillary, socket.MSG_CONFIRM if heard else 0, peer)
        except BlockingIOError:
            return self._postpone_all(octets, size, peer)
        except OSError:
            return False
        return True

    def _postpone_all(self, octets: memoryview, size: int, peer: Peer) -> bool:
        for datagram in segmentation.datagrams(octets, size):
            self._postpone(datagram, peer)
        return True

    def _postpone(self, data: Octets, peer: Peer) -> bool:
        if self._loop is None or self._backlog_bytes + len(data) > _BACKLOG:
            return False
        if not self._backlog:
            self._loop.add_writer(self._socket, self._send_backlog)
        self._backlog.append((bytes(data), peer))
        self._backlog_bytes += len(data)
        return True

    def _send_backlog(self) -> None:
        while self._backlog:
            data, peer = self._backlog[0]
            try:
                self._socket.sendto(data, 0, peer)
            except BlockingIOError:
                return
            except OSError:
                pass  # lost, as on the wire
            self._backlog.popleft()
            self._backlog_bytes -= len(data)
        if self._loop is not None:
            self._loop.remove_writer(self._socket)


def enlarge_receive_buffer(sock: socket.socket, size: int) -> None:
    """Let more bytes wait in the kernel; without CAP_NET_ADMIN no more than ``net.core.rmem_max`` (socket(7))."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def bind_udp(
    address: str,
    port: int,
    *,
    device: str | None = None,
    broadcast: bool = False,
    reuse_address: bool = False,
) -> socket.socket:
    """Return a non-blocking socket that is bound to ``address``:``port`` (0: the kernel chooses a free port).

    ``device`` is the only interface to receive from and send through (SO_BINDTODEVICE); ``broadcast``
    allows sending to broadcast addresses; ``reuse_address`` shares the port with programs that allow it too.
    Raises ServerError: one line that names address, port, cause and remedy. ``__cause__`` is the OSError.
    """
    with ExitStack() as undo:
        try:
            sock = undo.enter_context(socket.socket(socket.AF_INET, NON_BLOCKING_UDP))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, broadcast)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse_address)
            if device is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            sock.bind((address, port))
        except OSError as error:
            raise ServerError(_bind_failure(address, port, device, error)) from error
        undo.pop_all()
    return sock


_REMEDIES = {
    errno.EACCES: "run it as the systemd service, or give it CAP_NET_BIND_SERVICE",
    errno.EPERM: "run it as the systemd service, or give it CAP_NET_RAW",
    errno.EADDRNOTAVAIL: "no interface here has that address: correct [network] interfaces",
    errno.ENODEV: "there is no such interface: correct [network] interfaces",
}


def _bind_failure(address: str, port: int, device: str | None, error: OSError) -> str:
    where = f"UDP {address}:{port}" + (f" on {device}" if device else "")
    cause = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == errno.EADDRINUSE:
        remedy = f"another program has that port: stop it (`ss -ulpn 'sport = :{port}'` names it)"
    else:
        remedy = _REMEDIES.get(error.errno or 0, "see the cause")
    return f"{where} cannot be bound: {cause}; {remedy}"
