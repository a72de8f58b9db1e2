"""The ports of transfers: one for each, but many transfers in lock-step share one, where a system call serves all of them."""

import errno
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from iluvatar_pxe.errors import ServerError, WireError
from iluvatar_pxe.host.udp import Follow, Octets, Peer, UdpSocket
from iluvatar_pxe.host.udp_conversation import UdpConversation
from iluvatar_pxe.host.udp_shared import SharedUdp
from iluvatar_pxe.wire.tftp.packet import Error, ErrorCode, ReadRequest, decode, encode

_Udp = TypeVar("_Udp", bound=UdpSocket)

UNSHARED = 4
"""Transfers at once from which on those in lock-step share a port. One alone is quicker by a connected socket."""


class Conversation(Protocol):
    """The port of a transfer, by which it talks to its client; see UdpConversation and SharedConversation."""

    @property
    def local(self) -> Peer: ...
    def start(self, on_datagram: Callable[[bytes, Peer], None]) -> None: ...
    def receive_pending(self, at_once: int) -> None: ...
    def answer_early(self, follow: Follow, on_followed: Callable[[], None]) -> None: ...
    def send(self, data: Octets, peer: Peer, *, heard: bool = False) -> bool: ...
    def send_burst(self, octets: Octets, size: int, peer: Peer, *, heard: bool = False) -> bool: ...
    def close(self) -> None: ...


class TransferPorts:
    """Gives transfers their ports, of a range in which they take turns, so that late packets meet no new transfer."""

    def __init__(self, port_range: tuple[int, int]) -> None:
        self._first, self._last = port_range
        self._tried = 0
        self._shared: dict[str, SharedUdp] = {}
        """By the address of this host."""

    def converse(self, address: str, client: Peer, request: ReadRequest, others: int) -> Conversation | None:
        """Return a port at ``address`` for a transfer besides ``others``, or None: none is free."""
        shared = None
        if others >= UNSHARED and _is_in_lock_step(request):
            shared = self._sharing(address, client)
        return shared or self._own(address, client)

    def _sharing(self, address: str, client: Peer) -> Conversation | None:
        shared = self._shared.get(address)
        if shared is None or shared.is_closed:
            shared = self._bind(SharedUdp.open, address)
            if shared is None:
                return None
            self._shared[address] = shared
            shared.start(partial(turn_away, shared))
        return shared.converse(client)

    def _own(self, address: str, client: Peer) -> Conversation | None:
        udp = self._bind(UdpConversation.open, address)
        if udp:
            udp.connect(client)
        return udp

    def _bind(self, open_udp: Callable[[str, int], _Udp], address: str) -> _Udp | None:
        """Bind a new transfer identifier."""
        count = self._last - self._first + 1
        for _ in range(count):
            port = self._first + self._tried % count
            self._tried += 1
            try:
                return open_udp(address, port)
            except ServerError as error:
                if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EADDRINUSE:
                    break
        return None


def turn_away(udp: Conversation | UdpSocket, data: bytes, peer: Peer) -> None:
    """Answer a stray peer, but never an ERROR with an ERROR: two servers would go on for ever."""
    try:
        is_error = isinstance(decode(data), Error)
    except WireError:
        is_error = False
    if not is_error:
        udp.send(encode(Error(ErrorCode.UNKNOWN_TRANSFER_ID, "unknown transfer")), peer)


def _is_in_lock_step(request: ReadRequest) -> bool:
    return all(name != "windowsize" or value == "1" for name, value in request.options)
