"""One port for many conversations: who hears what, who answers whom, and what happens to whoever has left."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from iluvatar_pxe.host.udp import NON_BLOCKING_UDP, Peer
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


async def test_a_port_that_closes_inside_a_batch_touches_no_descriptor_any_more(
    port: SharedUdp, ends: list[socket.socket]
) -> None:
    """Its number may be another file's by then: here another socket's, at the same address."""
    place, number = port.local, port._socket.fileno()
    conversations = [begun(port, end) for end in ends[:4]]
    followed: list[int] = []
    heard: list[str] = []
    for which, conversation in enumerate(conversations):
        conversation.answer_early(follow(b"answer"), partial(followed.append, which))
    with socket.socket(type=NON_BLOCKING_UDP) as other, ExitStack() as undo:

        def end_all(_data: bytes, _peer: Peer) -> None:
            for conversation in conversations:
                conversation.close()
            other.bind(place)
            os.dup2(other.fileno(), number)
            undo.callback(os.close, number)
            ends[0].send(b"for the other one")

        conversations[1].start(end_all)
        port.start(lambda *_: heard.append("a stranger"))
        for which, data in ((0, b"go"), (1, b"the end"), (2, b"go"), (3, b"what"), (4, b"stranger")):
            ends[which].send(data)
        for _ in range(64):
            ends[2].send(b"go")
        port.receive_pending(256)
        assert port.is_closed
        assert other.recv(99) == b"for the other one"
    assert (ends[0].recv(99), followed, heard) == (b"answer", [], [])
    for end in ends:
        end.settimeout(0)
        with pytest.raises(BlockingIOError):
            end.recv(9)


async def test_one_whose_port_is_closed_keeps_no_answer_from_the_others(
    port: SharedUdp, ends: list[socket.socket]
) -> None:
    """Its host says so by ICMP, as that of a client does that was switched off and on."""
    for which, end in enumerate(ends):
        begun(port, end).answer_early(follow(b"%d" % which), lambda: None)
        end.send(b"go")
    ends.pop(1).close()
    for _ in range(3):
        port.receive_pending()
        assert [end.recv(99) for end in ends] == [b"0", b"2", b"3", b"4"]
        for end in ends:
            end.send(b"go")


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
