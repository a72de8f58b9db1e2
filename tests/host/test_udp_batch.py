"""Many datagrams at once, each answered where it lies."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from iluvatar_pxe.host.udp import bind_udp
from iluvatar_pxe.host.udp_batch import PLACE, UdpBatch

MOST = 4


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with bind_udp("127.0.0.1", 0) as sock:
        yield sock


@pytest.fixture
def clients(server: socket.socket) -> Iterator[list[socket.socket]]:
    """Four, each at an address of its own."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(4)]
        for number, client in enumerate(clients):
            client.bind((f"127.0.0.{number + 1}", 0))
            client.connect(server.getsockname())
            client.settimeout(8)
        yield clients


def write(batch: UdpBatch, number: int, answer: bytes) -> None:
    place = number * PLACE
    batch.octets[place : place + len(answer)] = answer
    batch.sizes[number] = len(answer)


def read(batch: UdpBatch, number: int, length: int) -> bytes:
    return batch.octets[number * PLACE : number * PLACE + length].tobytes()


def test_each_answer_goes_to_who_asked(server: socket.socket, clients: list[socket.socket]) -> None:
    batch = UdpBatch(server, MOST)
    asked = [b"one", b"", b"three", b"four"]
    for client, question in zip(clients, asked, strict=True):
        client.send(question)
    lengths = batch.receive()
    assert [read(batch, *one) for one in enumerate(lengths)] == asked
    assert [batch.sender(number) for number in range(4)] == [client.getsockname() for client in clients]
    assert len(set(batch.clients.tolist())) == 4
    for number in range(4):
        write(batch, number, b"%d" % number * (number + 1))
    assert batch.send(1, 4) == 2 + 3 + 4
    assert [client.recv(99) for client in clients[1:]] == [b"11", b"222", b"3333"]
    assert batch.send(0, 1) == 1
    assert clients[0].recv(99) == b"0"


def test_what_finds_no_place_comes_with_the_next_batch(
    server: socket.socket, clients: list[socket.socket]
) -> None:
    batch = UdpBatch(server, MOST)
    assert batch.receive() == []
    for number in range(MOST + 1):
        clients[0].send(bytes(number))
    assert (batch.receive(), batch.receive(), batch.receive()) == ([0, 1, 2, 3], [4], [])


def test_a_datagram_that_is_too_long_is_cut_off_and_harms_no_other(
    server: socket.socket, clients: list[socket.socket]
) -> None:
    batch = UdpBatch(server, MOST)
    for question in (b"first", bytes(2 * PLACE), b"third"):
        clients[0].send(question)
    assert batch.receive() == [5, PLACE, 5]
    assert (read(batch, 0, 5), read(batch, 2, 5)) == (b"first", b"third")


def test_an_answer_that_cannot_be_sent_is_lost_and_the_others_go(
    server: socket.socket, clients: list[socket.socket]
) -> None:
    batch = UdpBatch(server, MOST)
    for client in clients:
        client.send(b"?")
    assert len(batch.receive()) == 4
    for number in range(4):
        write(batch, number, b"!")
    batch.sizes[1] = batch.sizes[3] = 1 << 16  # more than a datagram can be
    assert batch.send(0, 4) == 2
    assert (clients[0].recv(9), clients[2].recv(9)) == (b"!", b"!")


def test_of_a_closed_socket_nothing_comes(server: socket.socket) -> None:
    batch = UdpBatch(server, MOST)
    server.close()
    assert batch.receive() == []
