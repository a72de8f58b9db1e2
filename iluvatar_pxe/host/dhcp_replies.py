"""Hears the replies of other DHCP servers, as far as they are broadcast.

They go to the clients' port, which this host's own DHCP client may have. So a packet socket hears them, and the kernel
lets nothing else through. Only some of many are read: nobody waits for this.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

from iluvatar_pxe.host.packet_filter import Do, Step, attach_filter
from iluvatar_pxe.wire.dhcp import BOOTREPLY
from iluvatar_pxe.wire.udp import UDP, udp_payload

MOST_AT_ONCE = 16
"""Replies read in a row."""
PAUSE_SECONDS = 0.1
"""Then nothing is read for so long; what finds no place in the kernel's buffer meanwhile is lost."""

_ETHERTYPE_IPV4 = 0x0800
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_LONGEST_PACKET = 2048
_PROTOCOL, _PORT, _OP = 9, 2, 8
"""In the IP header; and behind it."""

OnReply = Callable[[bytes, str], None]
"""Is told a message, and the address that it came from."""


class DhcpReplies:
    """Hears on one interface. Belongs to the running event loop."""

    def __init__(self, device: str, port: int, on_reply: OnReply) -> None:
        """Listen to replies to a UDP port; raises OSError, without CAP_NET_RAW for one."""
        self._port = port
        self._on_reply = on_reply
        self._socket = _open(device, port)
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._socket, self._drain)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _drain(self) -> None:
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._go_on)
        for _ in range(MOST_AT_ONCE):
            try:
                packet = self._socket.recv(_LONGEST_PACKET)
            except OSError:  # nothing more there, or the interface went down
                return
            if found := udp_payload(packet, self._port):
                data, (source, _) = found
                self._on_reply(data, source)

    def _go_on(self) -> None:
        self._loop.add_reader(self._socket, self._drain)


def _open(device: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        attach_filter(sock, _replies_to(port))
        sock.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        sock.bind((device, _ETHERTYPE_IPV4))
    except OSError:
        sock.close()
        raise
    return sock


def _replies_to(port: int) -> Sequence[Step]:
    """Let UDP datagrams to a port through that begin as a DHCP reply does."""
    return (
        *((Do.LOAD_BYTE, _PROTOCOL), (Do.EQUAL, UDP)),
        *((Do.HEADER_LENGTH, 0), (Do.LOAD_HALF_AFTER_X, _PORT), (Do.EQUAL, port)),
        *((Do.LOAD_BYTE_AFTER_X, _OP), (Do.EQUAL, BOOTREPLY)),
    )
