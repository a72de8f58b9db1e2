"""The UDP helper on loopback: delivery, survival, and bind failures in one line."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs
from support.rights import without_root

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.udp import Peer, UdpSocket, enlarge_receive_buffer

OpenUdp = Callable[..., UdpSocket]
Received = asyncio.Queue[tuple[bytes, Peer]]


@pytest.fixture
def opened() -> Iterator[OpenUdp]:
    sockets: list[UdpSocket] = []

    def open_udp(address: str = "127.0.0.1", port: int = 0, **options: Any) -> UdpSocket:
        sockets.append(UdpSocket.open(address, port, **options))
        return sockets[-1]

    yield open_udp
    for udp in sockets:
        udp.close()


def collector(udp: UdpSocket) -> Received:
    queue: Received = asyncio.Queue()
    udp.start(lambda data, peer: queue.put_nowait((data, peer)))
    return queue


async def test_datagrams_arrive_with_their_sender(opened: OpenUdp) -> None:
    one, two = opened(), opened(address="127.0.0.2")
    received = collector(two)
    assert one.send(b"hello", two.local)
    assert await received.get() == (b"hello", one.local)
    assert two.local[0] == "127.0.0.2"


async def test_a_handler_that_raises_loses_one_datagram_and_logs_one_line(opened: OpenUdp) -> None:
    one, two = opened(), opened()
    received: asyncio.Queue[bytes] = asyncio.Queue()

    def handle(data: bytes, _peer: Peer) -> None:
        if data == b"bad":
            raise ValueError("oops")
        received.put_nowait(data)

    two.start(handle)
    with capture_logs() as logs:
        one.send(b"bad", two.local)
        one.send(b"good", two.local)
        assert await received.get() == b"good"
    assert logs == [
        {
            "event": "udp.handler_failed",
            "log_level": "error",
            "peer": one.local,
            "error": "ValueError('oops')",
        }
    ]


async def test_a_flood_leaves_other_sockets_their_turn(opened: OpenUdp) -> None:
    sender, flooded, other = opened(), opened(), opened()
    seen: list[str] = []
    done = asyncio.Event()

    def on_flooded(_data: bytes, _peer: Peer) -> None:
        seen.append("flooded")

    def on_other(_data: bytes, _peer: Peer) -> None:
        seen.append("other")
        done.set()

    flooded.start(on_flooded)
    other.start(on_other)
    for _ in range(150):
        sender.send(b"x", flooded.local)
    sender.send(b"x", other.local)
    await done.wait()
    assert seen.count("flooded") <= 64


async def test_the_handler_may_close_its_socket(opened: OpenUdp) -> None:
    one, two = opened(), opened()
    seen: list[bytes] = []

    def handle(data: bytes, _peer: Peer) -> None:
        seen.append(data)
        two.close()

    two.start(handle)
    one.send(b"1", two.local)
    one.send(b"2", two.local)
    two.receive_pending()
    assert seen == [b"1"]


async def test_close_frees_the_port_and_may_be_called_again(opened: OpenUdp) -> None:
    one = opened()
    port = one.local[1]
    one.close()
    one.close()
    assert opened(port=port).local[1] == port


@pytest.mark.parametrize(
    ("peer", "data"),
    [
        pytest.param(("127.0.0.1", 0), b"x", id="impossible port"),
        pytest.param(("255.255.255.255", 9), b"x", id="broadcast not allowed"),
        pytest.param(("127.0.0.1", 9), bytes(70000), id="too long"),
    ],
)
def test_what_cannot_be_sent_is_lost_without_an_exception(opened: OpenUdp, peer: Peer, data: bytes) -> None:
    assert opened().send(data, peer) is False


async def test_a_refused_port_is_no_exception(opened: OpenUdp) -> None:
    one, gone = opened(), opened()
    peer = gone.local
    gone.close()
    collector(one)
    assert [one.send(b"x", peer) for _ in range(3)] == [True] * 3
    received = collector(one)
    one.send(b"self", one.local)
    assert (await received.get())[0] == b"self"


class FullBuffer:
    """A socket's send side whose buffer holds nothing until it is told to."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.full = True
        self.sent: list[bytes] = []
        self.emptied = asyncio.Event()

    @classmethod
    def under(cls, udp: UdpSocket) -> Self:
        full = cls(udp._socket)
        udp._socket = full  # type: ignore[assignment]  # it has what UdpSocket uses
        return full

    def sendto(self, data: bytes, _flags: int, _peer: Peer) -> None:
        if self.full:
            raise BlockingIOError
        self.sent.append(data)
        self.emptied.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


async def test_a_full_send_buffer_postpones_in_order(opened: OpenUdp) -> None:
    udp = opened()
    collector(udp)
    full = FullBuffer.under(udp)
    assert udp.send(b"1", ("127.0.0.1", 9))
    full.full = False
    assert udp.send(b"2", ("127.0.0.1", 9))
    assert full.sent == []
    await full.emptied.wait()
    assert full.sent == [b"1", b"2"]
    assert udp.send(b"3", ("127.0.0.1", 9))
    assert full.sent == [b"1", b"2", b"3"]


async def test_the_postponed_are_bounded(opened: OpenUdp) -> None:
    udp = opened()
    collector(udp)
    full = FullBuffer.under(udp)
    for _ in range(2):  # emptying it makes room for as much again
        taken = 0
        while udp.send(bytes(60000), ("127.0.0.1", 9)):
            taken += 1
        assert taken == 4 * 1024 * 1024 // 60000
        full.full = False
        await full.emptied.wait()
        full.full = True
        full.emptied.clear()


def test_without_a_loop_a_full_send_buffer_loses(opened: OpenUdp) -> None:
    udp = opened()
    FullBuffer.under(udp)
    assert udp.send(b"1", ("127.0.0.1", 9)) is False


def test_a_port_in_use_is_told_with_its_remedy(opened: OpenUdp) -> None:
    port = opened().local[1]
    expected = (
        rf"^UDP 127\.0\.0\.1:{port} cannot be bound: Address already in use; "
        rf"another program has that port: stop it \(`ss -ulpn 'sport = :{port}'` names it\)$"
    )
    with pytest.raises(ServerError, match=expected) as caught:
        opened(port=port)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EADDRINUSE


def test_an_address_of_nobody_is_told_with_its_remedy(opened: OpenUdp) -> None:
    expected = r"^UDP 192\.0\.2\.1:6969 cannot be bound: Cannot assign .+; no interface here .+$"
    with pytest.raises(ServerError, match=expected):
        opened(address="192.0.2.1", port=6969)


def test_an_unknown_interface_is_told(opened: OpenUdp) -> None:
    expected = (
        r"^UDP 127\.0\.0\.1:0 on nosuch0 cannot be bound: No such device; there is no such interface.+$"
    )
    with pytest.raises(ServerError, match=expected):
        opened(device="nosuch0")


def test_an_address_may_be_shared_when_both_allow_it(opened: OpenUdp) -> None:
    one = opened(reuse_address=True)
    assert opened(port=one.local[1], reuse_address=True).local == one.local
    with pytest.raises(ServerError):
        opened(port=one.local[1])


async def test_bound_to_a_device_and_allowed_to_broadcast(opened: OpenUdp) -> None:
    udp = opened(address="0.0.0.0", device="lo", broadcast=True)
    name = udp._socket.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    assert name.rstrip(b"\0") == b"lo"
    assert udp._socket.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 1


def test_the_receive_buffer_is_enlarged_as_far_as_rights_allow(opened: OpenUdp) -> None:
    most = int(Path("/proc/sys/net/core/rmem_max").read_text())
    wanted = most // 2 + 4096
    with opened(receive_buffer=wanted)._socket.dup() as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * wanted, "the kernel doubles it"
        with without_root():
            enlarge_receive_buffer(sock, 4 * most)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * most


async def test_so_many_datagrams_are_handed_over_in_a_row_and_no_more(opened: OpenUdp) -> None:
    sender, receiver = opened(), opened()
    received: list[bytes] = []
    receiver.start(lambda data, _peer: received.append(data), at_once=3)
    for number in range(5):
        sender.send(bytes((number,)), receiver.local)
    receiver.receive_pending()
    assert received == [b"\0", b"\1", b"\2"]
