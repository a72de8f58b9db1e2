"""Clients by TCP that take their time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.ports import free_port
from support.waiting import until

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.servers.dns import connection
from iluvatar_pxe.servers.dns.forwarder import Forwarder
from iluvatar_pxe.servers.dns.recursion import Recursion
from iluvatar_pxe.servers.dns.server import DnsServer
from iluvatar_pxe.servers.dns.zones import Sources
from iluvatar_pxe.settings.model import DnsSettings
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

LOOPBACK = Interface("lo", 1, IPv4Address("127.0.0.1"), IPv4Network("127.0.0.0/8"))
QUESTION = make_query(name_of("git.lab.home.arpa"), 1)
FRAMED = len(QUESTION).to_bytes(2) + QUESTION


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Of a server that waits for nobody longer than half a second."""
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.5)
    port = free_port()
    sources = Sources(Snapshot, Fleet, frozenset, ())
    server = DnsServer(
        DnsSettings(port=port), sources, Recursion(Forwarder(), lambda *_, **__: (), frozenset)
    )
    assert await server.serve([LOOPBACK]) == []
    running = asyncio.create_task(server.run())
    await until(lambda: server.listening)
    yield port
    server.close()
    running.cancel()
    await asyncio.wait([running])


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def test_a_client_that_sends_an_octet_now_and_then_is_let_go(port: int) -> None:
    reader, writer = await connect(port)
    ended = asyncio.create_task(reader.read())
    sent = 0
    while not ended.done() and sent < len(FRAMED):
        writer.write(FRAMED[sent : sent + 1])
        sent += 1
        await asyncio.wait([ended], timeout=0.1)
    assert sent < len(FRAMED) // 2
    assert await ended == b""
    writer.close()


async def test_a_client_that_says_nothing_is_let_go(port: int) -> None:
    reader, writer = await connect(port)
    assert await reader.read() == b""
    writer.close()


async def test_a_client_that_goes_on_asking_may_stay(port: int) -> None:
    reader, writer = await connect(port)
    for _ in range(8):
        writer.write(FRAMED)
        length = int.from_bytes(await reader.readexactly(2))
        assert (await reader.readexactly(length))[3] & 0xF == 0
        await asyncio.sleep(0.1)
    writer.close()


async def test_a_client_that_takes_no_answers_is_let_go_and_its_answers_are_not_heaped_up(port: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)  # noqa: FBT003 - its own word
        await loop.sock_connect(client, ("127.0.0.1", port))
        with pytest.raises(OSError, match=r"reset|pipe"):
            await loop.sock_sendall(client, FRAMED * 1_000_000)


@pytest.mark.parametrize(
    "octets", [b"\xff\xff", b"\x00\x05hello", len(QUESTION).to_bytes(2) + b"\0\0\x80" + QUESTION[3:]]
)
async def test_a_client_that_sends_no_questions_is_let_go(port: int, octets: bytes) -> None:
    reader, writer = await connect(port)
    writer.write(octets)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_a_port_that_another_program_has_is_an_error_that_says_what_to_do(
    kind: socket.SocketKind,
) -> None:
    port = free_port()
    sources = Sources(Snapshot, Fleet, frozenset, ())
    server = DnsServer(
        DnsSettings(port=port), sources, Recursion(Forwarder(), lambda *_, **__: (), frozenset)
    )
    with socket.socket(type=kind) as other:
        other.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            other.listen()
        (error,) = await server.serve([LOOPBACK])
        assert "\n" not in str(error)
        assert all(part in str(error) for part in (f"127.0.0.1:{port}", "in use", "[dns] enabled = false"))
    assert await server.serve([LOOPBACK]) == [], "it is tried again"
    server.close()
