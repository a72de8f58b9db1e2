"""Which DHCP messages came from the very NIC that they name.

Anybody can write another machine's MAC into ``chaddr``. The source address of the Ethernet frame is another matter:
switches learn from it, and a program without rights cannot choose it. A UDP socket does not tell it. So a packet
socket beside it hears the same messages, and the kernel lets through only those whose frame comes from ``chaddr``.
What a relay forwards comes from the relay's NIC, and so is never among them.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.host.packet_filter import Do, Step, attach_filter
from iluvatar_pxe.host.udp import enlarge_receive_buffer
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import CHADDR
from iluvatar_pxe.wire.udp import UDP, udp_data

FRESH_SECONDS = 2.0
"""From a frame to the datagram in it, as the UDP socket hands it over, at most."""
MOST_FRAMES = 1024
"""Different messages remembered at once, of known machines and as many of others; the oldest goes first."""
MOST_WAITING = 16384
"""More frames than a receive buffer of 8 MB holds: each takes at least 512 octets of it."""

_ETHERTYPE_ALL, _ETHERTYPE_IPV4 = 0x0003, 0x0800
"""The kernel gives a packet to sockets for all protocols before it looks for a UDP socket, so this is never late."""
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_LONGEST_PACKET = 60 + 8 + 4096
"""The longest headers, and as much as ``host.udp`` reads of a datagram."""
_ETHERTYPE = 0xFFFFF000
"""Where a filter finds it (linux/filter.h: SKF_AD_OFF + SKF_AD_PROTOCOL); the packet begins with the IP header."""
_SOURCE_MAC = 0xFFE00000 + 6
"""The same for the frame's header (SKF_LL_OFF)."""
_PROTOCOL, _PORT, _CHADDR = 9, 2, 8 + CHADDR.start
"""In the IP header; and behind it."""


class _Frames(Struct, frozen=True):
    """Frames with the same message that no datagram was asked about yet."""

    count: int
    latest: float


class OwnFrames:
    """Hears DHCP on one interface. Belongs to the running event loop."""

    def __init__(
        self,
        device: str,
        port: int,
        receive_buffer: int,
        is_known: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen to messages to a UDP port; raises OSError, without CAP_NET_RAW for one.

        ``is_known`` says whose frames, by MAC, those of no others drive out.
        """
        self._socket = _open(device, port, receive_buffer)
        self.port = port
        self._clock = clock
        self._is_known = is_known
        self._known: Recent[bytes, _Frames] = Recent(MOST_FRAMES)
        self._others: Recent[bytes, _Frames] = Recent(MOST_FRAMES)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._drain)

    def take(self, data: bytes) -> bool:
        """Say whether a datagram that the UDP socket has just handed over came in such a frame.

        Each frame speaks for one datagram, and soon for none: who repeats a machine's message is not that machine.
        """
        if data not in self._known and data not in self._others:
            return self._read(MOST_WAITING, until=data)
        heard = self._known if data in self._known else self._others
        frames = heard.pop(data)
        if frames is None:
            return False
        if frames.count > 1:
            heard.put(data, replace(frames, count=frames.count - 1))
        return self._clock() - frames.latest <= FRESH_SECONDS

    def close(self) -> None:
        """Hear nothing any more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _drain(self) -> None:
        """Take in frames after their datagrams have asked for them, which come in the same step of the event loop."""
        self._loop.call_soon(self._read, MOST_FRAMES)

    def _memory_for(self, data: bytes) -> Recent[bytes, _Frames]:
        return self._known if self._is_known(data[CHADDR].hex(":")) else self._others

    def _read(self, most: int, until: bytes | None = None) -> bool:
        """Take in frames that wait up to one with the message ``until``, which came before its datagram.

        That one is not remembered. Return whether there is one.
        """
        for _ in range(most):
            try:
                packet = self._socket.recv(_LONGEST_PACKET)
            except OSError:  # nothing more there, or the interface went down
                return False
            data = udp_data(packet, self.port)
            if data is not None:
                if data == until:
                    return True
                heard = self._memory_for(data)
                before = heard.get(data)
                heard.put(data, _Frames(before.count + 1 if before else 1, self._clock()))
        return False


def _open(device: str, port: int, receive_buffer: int) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        attach_filter(sock, _from_chaddr(port))
        sock.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        enlarge_receive_buffer(sock, receive_buffer)
        sock.bind((device, _ETHERTYPE_ALL))
    except OSError:
        sock.close()
        raise
    return sock


def _from_chaddr(port: int) -> Sequence[Step]:
    """Let UDP datagrams to a port through that have the frame's source address as their ``chaddr``."""
    return (
        *((Do.LOAD_HALF, _ETHERTYPE), (Do.EQUAL, _ETHERTYPE_IPV4)),
        *((Do.LOAD_BYTE, _PROTOCOL), (Do.EQUAL, UDP)),
        *((Do.HEADER_LENGTH, 0), (Do.LOAD_HALF_AFTER_X, _PORT), (Do.EQUAL, port)),
        *((Do.LOAD_AFTER_X, _CHADDR), (Do.MOVE_TO_X, 0), (Do.LOAD, _SOURCE_MAC), (Do.EQUAL_X, 0)),
        *((Do.HEADER_LENGTH, 0), (Do.LOAD_HALF_AFTER_X, _CHADDR + 4), (Do.MOVE_TO_X, 0)),
        *((Do.LOAD_HALF, _SOURCE_MAC + 4), (Do.EQUAL_X, 0)),
    )
