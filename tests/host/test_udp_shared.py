"""One port for many conversations: who hears what, who answers whom, and what happens to whoever has left."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from iluvatar_pxe.host.udp import Peer
from iluvatar_pxe.host.udp_batch import PLACE
from iluvatar_pxe.host.udp_shared import SharedConversation, SharedUdp

PATIENCE = 20


@pytest.fixture
def port() -> Iterator[SharedUdp]:
    port = SharedUdp.open("127.0.0.1", 0)
    yield port
    port.close()


@pytest.fixture
def ends(port: SharedUdp) -> Iterator[list[socket.socket]]:
    """Peers, each at an address of its own."""
    with ExitStack() as stack:
        ends = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(5)]
        for number, end in enumerate(ends):
            end.bind((f"127.0.0.{number + 1}", 0))
            end.connect(port.local)
            end.settimeout(PATIENCE)
        yield ends


def begun(port: SharedUdp, end: socket.socket) -> SharedConversation:
    conversation = port.converse(end.getsockname())
    assert conversation
    return conversation


def follow(answer: bytes) -> Callable[[bytes, float], bytes]:
    """Have ``go`` answered early, and nothing else."""
    return lambda data, _now: answer if data == b"go" else b""


async def test_each_is_answered_early_or_heard_and_strangers_are_heard_by_another(
    port: SharedUdp, ends: list[socket.socket]
) -> None:
    heard: list[tuple[bytes, Peer]] = []
    port.start(lambda data, peer: heard.append((data, peer)))
    answers = [b"zero", b"long" * PLACE, b"two", b"three"]
    followed: list[bytes] = []
    for end, answer in zip(ends, answers, strict=False):
        conversation = begun(port, end)
        conversation.start(lambda data, peer: heard.append((data, peer)))
        conversation.answer_early(follow(answer), partial(followed.append, answer))
    for end, data in zip(ends, (b"go", b"go", b"what", b"go", b"stranger"), strict=True):
        end.send(data)
    port.receive_pending()
    assert [ends[number].recv(9000) for number in (0, 1, 3)] == [answers[number] for number in (0, 1, 3)]
    assert followed == [answers[number] for number in (0, 1, 3)]
    assert heard == [(b"what", ends[2].getsockname()), (b"stranger", ends[4].getsockname())]
    ends[2].settimeout(0)
    with pytest.raises(BlockingIOError):
        ends[2].recv(9)


async def test_what_the_kernel_takes_only_one_by_one_is_sent_all_the_same(
    port: SharedUdp, ends: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(start: int, end: int, _flags: int, on_refused: Callable[[int], None]) -> None:
        for number in range(start, end):
            on_refused(number)

    for end in ends:
        begun(port, end).answer_early(follow(repr(end.getsockname()).encode()), lambda: None)
        end.send(b"go")
    monkeypatch.setattr(port._batch, "send", refuse)
    port.receive_pending()
    assert [end.recv(99) for end in ends] == [repr(end.getsockname()).encode() for end in ends]


async def test_as_much_as_is_asked_for_is_read_before_a_decision(
    port: SharedUdp, ends: list[socket.socket]
) -> None:
    heard: list[bytes] = []
    begun(port, ends[0]).start(lambda data, _: heard.append(data))
    other = begun(port, ends[1])
    for number in range(130):
        ends[0].send(b"%d" % number)
    other.receive_pending(64)
    assert len(heard) == 64
    other.receive_pending(128)
    assert heard == [b"%d" % number for number in range(130)]


async def test_who_has_left_is_nobody_for_a_minute_and_has_no_second_conversation(
    port: SharedUdp, ends: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    port.start(lambda data, _: heard.append(data))
    begun(port, ends[1])
    conversation = begun(port, ends[0])
    assert port.converse(ends[0].getsockname()) is None, "it has one"
    conversation.close()
    conversation.close()
    ends[0].send(b"late")
    port.receive_pending()
    assert heard == []
    assert port.converse(ends[0].getsockname()) is None, "a late datagram of the last one would count"
    now = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now + 61)
    ends[0].send(b"stranger")
    port.receive_pending()
    assert heard == [b"stranger"]
    assert port.converse(ends[0].getsockname())


async def test_the_last_one_closes_the_port(port: SharedUdp, ends: list[socket.socket]) -> None:
    conversations = [begun(port, end) for end in ends]
    for conversation in conversations:
        assert not port.is_closed
        conversation.close()
    assert port.is_closed


async def test_what_a_handler_raises_is_logged_and_the_others_are_heard(
    port: SharedUdp, ends: list[socket.socket]
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError

    heard: list[bytes] = []
    begun(port, ends[0]).start(fail)
    begun(port, ends[1]).start(lambda data, _: heard.append(data))
    for end in ends[:2]:
        end.send(b"data")
    port.receive_pending()
    assert heard == [b"data"]
