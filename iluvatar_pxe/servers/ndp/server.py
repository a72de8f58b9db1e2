"""Sockets for router discovery: one on each interface; see ``ndp_core`` for what is answered, and why."""

import asyncio
import errno
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

import structlog

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.ndp.segment import WAIT, Expected, Segment
from iluvatar_pxe.wire.ndp import HOP_LIMIT, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION

Peer = tuple[str, int, int, int]
"""IPv6 address as text, port (0), flow and scope, as the socket module has them."""

_ALL_ROUTERS = "ff02::2"
_LONGEST_MESSAGE = 1500
_MESSAGES_PER_WAKEUP = 64
_ICMP6_FILTER = 1
"""linux/icmpv6.h: ICMPV6_FILTER; a bit for each ICMPv6 type that is not to be delivered."""
_SIOCGIFHWADDR = 0x8927
_NON_BLOCKING_RAW = socket.SOCK_RAW | socket.SOCK_NONBLOCK

_log = structlog.get_logger()


class NdpServer:
    """Moves bytes between raw sockets and ``Segment``; does without where the host cannot."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expected = Expected()
        self._bound = Bound(self._listen)

    def serve(self, interfaces: Iterable[Interface]) -> None:
        """Listen on these interfaces; one where that is impossible costs a line of log, and boots some time."""
        self._bound.follow((one.name, one.index) for one in interfaces)

    def offered(self, mac: str) -> None:
        """Expect router solicitations of a machine whose iPXE was just offered a boot."""
        self._expected.offered(mac, self._clock())

    def close(self) -> None:
        """Answer nothing any more."""
        self._bound.close()

    def _listen(self, device: tuple[str, int]) -> ExitStack:
        """Return what closes the socket on an interface, which is nothing where there can be none."""
        name, _index = device
        listening = ExitStack()
        try:
            sock, link_address = _open(name)
        except OSError as error:
            why = f"{error.strerror}; some boots take up to {WAIT:.0f} s longer"
            _log.info("ndp.off", interface=name, why=why)
            return listening
        loop = asyncio.get_running_loop()
        loop.add_reader(sock, partial(self._receive_pending, sock, Segment(link_address, self._expected)))
        listening.callback(sock.close)
        listening.callback(loop.remove_reader, sock)
        return listening

    def _receive_pending(self, sock: socket.socket, segment: Segment) -> None:
        for _ in range(_MESSAGES_PER_WAKEUP):
            try:
                data, ancillary, _flags, source = sock.recvmsg(_LONGEST_MESSAGE, socket.CMSG_SPACE(4))
            except OSError:  # nothing more there, or the interface went down
                return
            self._receive(sock, segment, data, _hop_limit(ancillary), source)

    def _receive(
        self, sock: socket.socket, segment: Segment, data: bytes, hop_limit: int, source: Peer
    ) -> None:
        try:
            answer = segment.answer(data, source[0], hop_limit, self._clock())
        except WireError as error:
            _log.debug("ndp.malformed", source=source[0], why=str(error))
            return
        if answer is not None:
            with suppress(OSError):  # lost, as on the wire: iPXE asks again
                sock.sendto(answer, source)
                _log.debug("ndp.answered", source=source[0])


def _open(device: str) -> tuple[socket.socket, bytes]:
    """Return a socket that hears router discovery on one interface, and that interface's MAC.

    Raises OSError without IPv6 or CAP_NET_RAW.
    """
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_INET6, _NON_BLOCKING_RAW, socket.IPPROTO_ICMPV6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        kinds = _filter_for(ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT)
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, kinds)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOP_LIMIT)
        group = IPv6Address(_ALL_ROUTERS).packed + struct.pack("@I", socket.if_nametoindex(device))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        if Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").read_text(encoding="ascii").strip() != "0":
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        answer = fcntl.ioctl(sock, _SIOCGIFHWADDR, struct.pack("256s", device.encode()))
        undo.pop_all()
    return sock, answer[18:24]


def _filter_for(*kinds: int) -> bytes:
    """Return the ICMPv6 filter that lets only these types through."""
    blocked = (1 << 256) - 1
    for kind in kinds:
        blocked &= ~(1 << kind)
    return struct.pack("@8I", *(blocked >> shift & 0xFFFFFFFF for shift in range(0, 256, 32)))


def _hop_limit(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    wanted = (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)
    found = (value for level, kind, value in ancillary if (level, kind) == wanted)
    return int.from_bytes(next(found, b""), sys.byteorder)
