"""Answers iPXE's Router Solicitations where no IPv6 router does, so that it does not wait for one.

Symptom: without an IPv6 router on the network, iPXE says "Configuring" for 16 s (2019: the ROMs of QEMU,
Debian 12) or 4 s (2025), after IPv4 has long been configured, before it fetches its first script.
Client: every iPXE with IPv6 that configures itself (``dhcp`` or ``autoboot``), as ROMs do.
Evidence: QEMU 7.2's BIOS ROM asked for its script 18.5 s after switching on, and 2.6 s when one unicast
advertisement answered it; ``ipv6conf_rx_router_advertisement`` in iPXE's ``src/net/ndp.c``.

What is sent cannot harm others: it goes by unicast to the link-local address that asked, only when the MAC
that asks is one whose iPXE was just offered a boot here, and it says nothing: router lifetime 0, no prefix,
no DHCPv6. A system that gets it all the same installs no route and no address by it. A solicitation from
``::`` is not answered: it names no MAC (RFC 4861 section 4.1), and no address for a unicast. iPXE always
asks from its link-local address.

Where there is an IPv6 router, nothing is sent, for iPXE takes its whole IPv6 configuration from the first
advertisement that it gets, and an empty one would leave it without. Two rules see to that. A router that
was heard on this interface silences us for as long as RFC 4861 lets it be quiet. And one that was not heard
yet goes first: we answer no solicitation within ``PATIENCE`` of the offer. Within that time a router answers
by unicast (dnsmasq: 2 ms), which ends iPXE's asking, or by multicast, which we hear; or it did so in the last
3 s, which we heard. iPXE asks again and again, after 0.2, 0.8, 1.8, 3.9 s (2019) or 0.1, 0.4, 0.9, 1.9 s
(2025), so this costs it less than a second. It also settles the race between a DISCOVER and the first
solicitation, which come within 4 ms.
"""

import asyncio
import errno
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

import structlog

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.mac import format_mac
from iluvatar_pxe.servers.interfaces import Interface
from iluvatar_pxe.wire.ndp import (
    HOP_LIMIT,
    ROUTER_ADVERTISEMENT,
    ROUTER_SOLICITATION,
    decode_solicitation,
    encode_empty_advertisement,
)

PATIENCE = 0.5
"""Seconds after the offer that are left to a real router: MAX_RA_DELAY_TIME (RFC 4861 section 10)."""
WAIT = 16.0
"""Seconds after the offer in which iPXE may wait; who asks later is the system that it has booted."""
REPEAT = 2.0
"""Seconds in which a machine that was answered is answered again, should the first answer be lost."""
ROUTER_SILENCE = 1800.0
"""Seconds between two multicasts of a router, at most (MaxRtrAdvInterval, RFC 4861 section 6.2.1)."""
MACHINES = 1024
"""Machines remembered at once; the one offered longest ago is forgotten first."""

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


class Expected:
    """Whose solicitations are to be answered at which moments; ``now`` is of a clock that does not go back."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, float]] = {}

    def offered(self, mac: str, now: float) -> None:
        """Expect solicitations of a machine whose iPXE was just offered a boot."""
        self._windows.pop(mac, None)
        self._windows[mac] = (now + PATIENCE, now + WAIT)
        if len(self._windows) > MACHINES:
            del self._windows[next(iter(self._windows))]

    def take(self, mac: str, now: float) -> bool:
        """Tell whether a solicitation of ``mac`` is to be answered now; it is then held for answered."""
        opens, closes = self._windows.get(mac, (now, now))
        if not opens <= now < closes:
            return False
        self._windows[mac] = (opens, min(closes, now + REPEAT))
        return True


class Segment:
    """What is known of one interface's segment, and the decision about each message from there."""

    def __init__(self, link_address: bytes, expected: Expected) -> None:
        self._advertisement = encode_empty_advertisement(link_address)
        self._expected = expected
        self._router_heard: float | None = None

    def answer(self, data: bytes, source: str, hop_limit: int, now: float) -> bytes | None:
        """Return what to send to ``source``, or None; raises WireError for a malformed solicitation."""
        if hop_limit != HOP_LIMIT:
            return None
        if data[:1] == bytes((ROUTER_ADVERTISEMENT,)):
            self._router_heard = now
            return None
        mac = format_mac(decode_solicitation(data).link_address)
        if not IPv6Address(source).is_link_local or self._has_router(now):
            return None
        return self._advertisement if self._expected.take(mac, now) else None

    def _has_router(self, now: float) -> bool:
        return self._router_heard is not None and now - self._router_heard < ROUTER_SILENCE


class NdpServer:
    """Moves bytes between raw sockets and ``Segment``; does without where the host cannot."""

    def __init__(self, interfaces: Sequence[Interface], clock: Callable[[], float] = time.monotonic) -> None:
        self._interfaces = interfaces
        self._clock = clock
        self._expected = Expected()
        self._sockets: list[socket.socket] = []

    def bind(self) -> None:
        """Listen on each interface; one where that is impossible costs a line of log, and boots some time."""
        for interface in self._interfaces:
            try:
                self._listen(interface.name)
            except OSError as error:
                why = f"{error.strerror}; some boots take up to {WAIT:.0f} s longer"
                _log.info("ndp.off", interface=interface.name, why=why)

    def offered(self, mac: str) -> None:
        """Expect router solicitations of a machine whose iPXE was just offered a boot."""
        self._expected.offered(mac, self._clock())

    def close(self) -> None:
        """Answer nothing any more."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _listen(self, device: str) -> None:
        sock, link_address = _open(device)
        segment = Segment(link_address, self._expected)
        self._sockets.append(sock)
        asyncio.get_running_loop().add_reader(sock, partial(self._receive_pending, sock, segment))

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
