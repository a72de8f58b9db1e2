"""Bursts by segmentation offload: what the kernel makes of them on loopback, and where it refuses."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from iluvatar_pxe.host import segmentation
from iluvatar_pxe.host.udp import UdpSocket

PATIENCE = 20
_SO_NO_CHECK = 11
"""Sent without checksums: the kernel refuses to cut such datagrams (EINVAL), as a card without checksums does (EIO)."""


@pytest.fixture
def ends() -> Iterator[tuple[UdpSocket, socket.socket]]:
    """A sender, and a socket that sees each datagram by itself."""
    udp = UdpSocket.open("127.0.0.1", 0)
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        yield udp, receiver
    udp.close()


def burst(count: int, size: int, last: int) -> list[bytes]:
    return [bytes([number % 251]) * (last if number == count - 1 else size) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "size", "last", "calls"),
    [
        pytest.param(1, 516, 516, [1], id="one"),
        pytest.param(16, 1432, 1432, [16], id="window of 16"),
        pytest.param(64, 1432, 4, [45, 19], id="no call is longer than a datagram may be"),
        pytest.param(70, 12, 5, [64, 6], id="no call has more segments than kernels take"),
        pytest.param(2, 40000, 40000, [1, 1], id="one datagram fills a call"),
    ],
)
def test_the_receiver_sees_separate_datagrams_in_order(
    ends: tuple[UdpSocket, socket.socket], count: int, size: int, last: int, calls: Sequence[int]
) -> None:
    udp, receiver = ends
    sent = burst(count, size, last)
    assert [-(-len(some) // size) for some, _ in segmentation.calls(b"".join(sent), size)] == calls
    assert segmentation.is_offered()
    assert udp.send_burst(b"".join(sent), len(sent[0]), receiver.getsockname(), heard=True) is True
    assert [receiver.recv(65535) for _ in sent] == sent


def test_what_the_kernel_refuses_to_cut_goes_out_one_by_one(ends: tuple[UdpSocket, socket.socket]) -> None:
    udp, receiver = ends
    udp._socket.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
    sent = burst(64, 1432, 100)
    assert udp.send_burst(b"".join(sent), len(sent[0]), receiver.getsockname()) is False
    assert [receiver.recv(65535) for _ in sent] == sent


def test_a_kernel_without_it_is_sent_single_datagrams(
    ends: tuple[UdpSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    udp, receiver = ends
    monkeypatch.setattr(segmentation, "is_offered", lambda: False)
    sent = burst(5, 516, 4)
    assert udp.send_burst(b"".join(sent), len(sent[0]), receiver.getsockname()) is False
    assert [receiver.recv(65535) for _ in sent] == sent


class FullBuffer:
    """A socket's send side whose buffer is full until it is told otherwise; counts the calls of its real one."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.full = True

    def sendmsg(self, *arguments: Any) -> int:
        return self._send(self.real.sendmsg, arguments)

    def sendto(self, *arguments: Any) -> int:
        return self._send(self.real.sendto, arguments)

    def _send(self, call: Callable[..., int], arguments: Sequence[Any]) -> int:
        if self.full:
            raise BlockingIOError
        return call(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


async def test_a_full_send_buffer_postpones_bursts_in_order(ends: tuple[UdpSocket, socket.socket]) -> None:
    udp, receiver = ends
    udp.start(lambda _data, _peer: None)
    full = FullBuffer(udp._socket)
    udp._socket = full  # type: ignore[assignment]  # it has what UdpSocket uses
    one, two = burst(3, 100, 50), burst(4, 80, 80)
    assert udp.send_burst(b"".join(one), 100, receiver.getsockname()) is True
    full.full = False
    assert udp.send_burst(b"".join(two), 80, receiver.getsockname()) is True
    assert await asyncio.to_thread(lambda: [receiver.recv(65535) for _ in one + two]) == one + two
