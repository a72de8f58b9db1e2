"""One port with a connected socket for its peer: who is heard by which, and what happens where the connected one fails."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.udp import Peer
from iluvatar_pxe.host.udp_conversation import UdpConversation

PATIENCE = 20


@pytest.fixture
def udp() -> Iterator[UdpConversation]:
    conversation = UdpConversation.open("127.0.0.1", 0)
    yield conversation
    conversation.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The peer, and a stranger."""
    with socket.socket(type=socket.SOCK_DGRAM) as peer, socket.socket(type=socket.SOCK_DGRAM) as stranger:
        for end in (peer, stranger):
            end.bind(("127.0.0.1", 0))
            end.settimeout(PATIENCE)
        yield peer, stranger


async def test_peer_and_stranger_are_heard_and_answered_from_one_port(
    udp: UdpConversation, ends: tuple[socket.socket, socket.socket]
) -> None:
    heard: asyncio.Queue[tuple[bytes, Peer]] = asyncio.Queue()
    udp.connect(peer := ends[0].getsockname())
    udp.start(lambda data, sender: heard.put_nowait((data, sender)))
    for end in ends:
        end.sendto(b"question", udp.local)
    expected = {(b"question", end.getsockname()) for end in ends}
    assert {await asyncio.wait_for(heard.get(), PATIENCE) for _ in ends} == expected
    assert udp.send(b"answer", peer)
    assert udp.send_burst(b"onetwo", 3, peer)
    assert udp.send(b"no", ends[1].getsockname())
    assert [ends[0].recvfrom(99) for _ in range(3)] == [(b, udp.local) for b in (b"answer", b"one", b"two")]
    assert ends[1].recvfrom(99) == (b"no", udp.local)


async def test_only_the_peer_is_answered_early(
    udp: UdpConversation, ends: tuple[socket.socket, socket.socket]
) -> None:
    heard: list[bytes] = []
    followed: list[str] = []
    udp.connect(ends[0].getsockname())
    udp.start(lambda data, _: heard.append(data))
    udp.answer_early(lambda data, _now: b"early" if data == b"go" else b"", lambda: followed.append("peer"))
    for end, data in zip((*ends, ends[0]), (b"go", b"go", b"what"), strict=True):
        end.sendto(data, udp.local)
    udp.receive_pending(64)
    assert ends[0].recvfrom(99) == (b"early", udp.local)
    assert (heard, followed) == ([b"what", b"go"], ["peer"])
    ends[1].settimeout(0)
    with pytest.raises(BlockingIOError):
        ends[1].recv(9)


async def test_what_waits_is_read_before_a_decision(
    udp: UdpConversation, ends: tuple[socket.socket, socket.socket]
) -> None:
    heard: list[bytes] = []
    udp.connect(ends[0].getsockname())
    udp.start(lambda data, _: heard.append(data))
    for end, data in zip((*ends, ends[0]), (b"1", b"stranger", b"2"), strict=True):
        end.sendto(data, udp.local)
    udp.receive_pending(64)
    assert heard == [b"1", b"2", b"stranger"]


def test_an_unreachable_port_keeps_nothing_from_being_sent(
    udp: UdpConversation, ends: tuple[socket.socket, socket.socket]
) -> None:
    peer = ends[0].getsockname()
    ends[0].close()
    udp.connect(peer)
    assert udp.send(b"nobody is there", peer), "the kernel learns that the port is closed"
    with socket.socket(type=socket.SOCK_DGRAM) as again:
        again.bind(peer)
        again.settimeout(PATIENCE)
        assert udp.send(b"one", peer), "the connected socket is told of it now"
        assert udp.send_burst(b"twosix", 3, peer)
        assert [again.recvfrom(99) for _ in range(3)] == [(b, udp.local) for b in (b"one", b"two", b"six")]


def test_without_a_second_descriptor_all_goes_by_the_first(
    udp: UdpConversation, ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: Any) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", none_left)
        udp.connect(ends[0].getsockname())
    assert udp.send(b"data", ends[0].getsockname())
    assert ends[0].recvfrom(99) == (b"data", udp.local)


def test_the_port_is_no_other_program_s(
    udp: UdpConversation, ends: tuple[socket.socket, socket.socket]
) -> None:
    udp.connect(ends[0].getsockname())
    with pytest.raises(ServerError):
        UdpConversation.open(*udp.local, reuse_address=True)
