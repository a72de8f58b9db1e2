"""gRPC is loaded for a machine that may report, and a failure to load it is told and tried again."""

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

import pytest
from structlog.testing import capture_logs
from support.ports import free_port
from support.talos_reports import HERE, event, publisher, receiving
from support.waiting import PATIENCE, until

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as talos
from iluvatar_pxe.ratelimit import _complaints
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool
from iluvatar_pxe.servers.dns.tcp import TcpListener
from iluvatar_pxe.servers.talos.event_listener import MOST_OF_CLIENT, EventListener
from iluvatar_pxe.servers.talos.kernel_log import KernelLogListener, Lines
from iluvatar_pxe.servers.talos.late_sink import LateSink

SINK = "iluvatar_pxe.servers.talos.event_sink"
PHASE = event("PhaseEvent", talos.PhaseEvent(phase="config"))


def sink_for(network: str) -> LateSink:
    pool = ConnectionPool("talos.crowded", each=4, total=64)
    return LateSink(lambda *_: None, Allowed([IPv4Network(network)]), pool, lambda _: None)


def events_at(port: int) -> EventListener:
    return EventListener(IPv4Address(HERE), port, sink_for("127.0.0.0/8"))


def lines_at(port: int) -> KernelLogListener:
    lines, pool = Lines(lambda *_: None), ConnectionPool("talos.crowded", each=4, total=64)
    return KernelLogListener(IPv4Address(HERE), port, lines, lines, Allowed(["local"]), pool, lambda _: None)


def questions_at(port: int) -> TcpListener:
    return TcpListener(IPv4Address(HERE), port, None, Allowed(["local"]))  # type: ignore[arg-type] # nobody asks


@pytest.mark.parametrize("listener_at", [events_at, lines_at, questions_at])
@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_the_port_is_free_after_an_end_at_any_moment_of_the_start(
    listener_at: Callable[[int], EventListener | KernelLogListener | TcpListener], turns: int
) -> None:
    port = free_port()
    listener = listener_at(port)
    start = asyncio.create_task(listener.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    number = listener._socket.fileno()
    start.cancel()
    await asyncio.wait([start])
    listener.close()
    with socket.create_server((HERE, port)):
        assert not asyncio.get_running_loop().remove_reader(number), "it is still waited for"


async def test_the_port_is_free_after_an_end_while_it_is_loaded() -> None:
    async with receiving() as got:
        reader, writer = await asyncio.open_connection(HERE, got.event_port)
        server = got.server
        assert server
        await until(lambda: len(server._event_pool) == 1)
        server.close()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert len(server._event_pool) == 0
        with socket.create_server((HERE, got.event_port)):
            pass


async def test_for_who_is_not_allowed_nothing_is_loaded() -> None:
    port, sink = free_port(), sink_for("10.0.0.0/8")
    listener = EventListener(IPv4Address(HERE), port, sink)
    await listener.start()
    running = asyncio.create_task(sink.run())
    _complaints._limiters.clear()
    with capture_logs() as log, suppress(ConnectionError):
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
    assert [(line["event"], line["client"]) for line in log] == [("talos.refused", HERE)]
    assert not sink._wanted.is_set()
    assert not sink.pool
    listener.close()
    running.cancel()


async def test_a_failure_to_load_it_is_told_and_the_next_connection_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, SINK, None)  # so that importing it fails
    _complaints._limiters.clear()
    async with receiving() as got:
        with capture_logs() as log:
            readers = [await asyncio.open_connection(HERE, got.event_port) for _ in range(2)]
            for reader, writer in readers:
                with suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
                writer.close()
        [told] = log
        assert (told["event"], told["log_level"]) == ("talos.not-loaded", "error")
        assert SINK in told["error"]
        assert "install the daemon again" in told["remedy"]
        monkeypatch.undo()
        async with publisher(got.event_port) as sink:
            await sink.Publish(PHASE)
        assert len(got.events) == 1


async def test_who_waits_is_served_in_turn_and_held_to_the_same_bounds() -> None:
    port, sink = free_port(), sink_for("127.0.0.0/8")
    listener = EventListener(IPv4Address(HERE), port, sink)
    await listener.start()
    held = [await asyncio.open_connection(HERE, port) for _ in range(3 * MOST_OF_CLIENT)]
    await until(lambda: len(sink.waiting) == MOST_OF_CLIENT)
    for reader, writer in held[:-MOST_OF_CLIENT]:
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
    running = asyncio.create_task(sink.run())
    for reader, writer in held[-MOST_OF_CLIENT:]:
        assert len(await reader.readexactly(9)) == 9, "the header of HTTP/2's first frame"
        writer.close()
    await until(lambda: not sink.pool and not listener._connections)
    await running
    listener.close()
