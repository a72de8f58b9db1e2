"""Kernel logs arrive by TCP and UDP, each line once, and bad ones cost a line of log at most."""

import asyncio
import json
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.talos_reports import HERE, Reports, receiving
from support.waiting import until

from iluvatar_pxe.layers.arda.kernel_log import LONGEST
from iluvatar_pxe.servers.talos.kernel_log import AT_ONCE, MOST_OF_CLIENT


def line(seq: int, message: str = "", **values: Any) -> bytes:
    told = {"clock": seq * 1000 + 1, "facility": "user", "msg": message or f"line {seq}", "priority": "info"}
    return json.dumps(told | {"seq": seq, "talos-time": "2026-01-02T03:04:05.123456789Z"} | values).encode()


async def send(port: int, data: bytes, chunk: int = 1 << 20) -> None:
    _, writer = await asyncio.open_connection(HERE, port)
    for at in range(0, len(data), chunk):
        writer.write(data[at : at + chunk])
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def log_of(seqs: Iterable[int]) -> bytes:
    return b"".join(line(seq) + b"\n" for seq in seqs)


def messages(seqs: Iterable[int]) -> list[str]:
    return [f"line {seq}" for seq in seqs]


async def arrived(got: Reports, count: int) -> None:
    await until(lambda: len(got.lines) >= count)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
async def test_lines_arrive_however_they_are_cut(chunk: int) -> None:
    async with receiving() as got:
        await send(got.log_port, log_of(range(3)), chunk)
        await arrived(got, 3)
        assert got.messages == messages(range(3))
        address, first = got.lines[0]
        assert (str(address), first.seq, first.clock, first.facility, first.priority) == (
            HERE,
            0,
            1,
            "user",
            "info",
        )
        assert first.time is not None
        assert first.time.isoformat() == "2026-01-02T03:04:05.123456+00:00"


async def test_many_lines_at_once_are_all_read() -> None:
    async with receiving() as got:
        await send(got.log_port, log_of(range(AT_ONCE * 20)))
        await arrived(got, AT_ONCE * 20)
        assert got.messages == messages(range(AT_ONCE * 20))


async def test_datagrams_are_lines_apart_from_others_since_anybody_can_forge_their_sender() -> None:
    async with receiving() as got:
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            for data in (line(1), b"", b"{", b"x" * (LONGEST + 1), line(2)):
                sender.sendto(data, (HERE, got.log_port))
        await until(lambda: len(got.datagrams) == 2)
        assert [line.message for _, line in got.datagrams] == messages([1, 2])
        assert got.lines == []


async def test_a_reconnect_that_begins_anew_tells_only_what_is_new() -> None:
    async with receiving() as got:
        await send(got.log_port, log_of(range(10)))
        await arrived(got, 10)
        await send(got.log_port, log_of(range(12)))
        await arrived(got, 12)
        assert got.messages == messages(range(12))


@pytest.mark.parametrize(
    "bad",
    [
        b"no json",
        b"[]",
        b'{"msg": 5}',
        b'{"seq": -1}',
        b'{"seq": true}',
        b"\xff",
        b"x" * (LONGEST + 1),
        b"x" * (LONGEST * 9),
    ],
)
async def test_a_bad_line_is_left_out_and_logged(bad: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "iluvatar_pxe.servers.talos.kernel_log.complain", lambda *_, **facts: told.append(facts)
    )
    async with receiving() as got:
        await send(got.log_port, line(1) + b"\n" + bad + b"\n" + line(2) + b"\n")
        await arrived(got, 2)
        assert got.messages == messages([1, 2])
    assert len(told) == 1
    assert told[0]["client"] == HERE
    assert told[0]["why"].startswith("a line ")


async def test_a_flood_of_bad_lines_is_a_few_lines_of_log() -> None:
    async with receiving() as got:
        with capture_logs() as log:
            await send(got.log_port, b"bad\n" * 20_000 + line(1) + b"\n")
            await arrived(got, 1)
    assert len(log) < 10


async def test_a_thousand_connections_leave_room_for_a_machine() -> None:
    async with receiving() as got:
        held = [await asyncio.open_connection(HERE, got.log_port) for _ in range(1000)]
        try:
            for _, writer in held[-3:]:
                writer.write(b"x" * 100)
            await send(got.log_port, line(1) + b"\n")
            await arrived(got, 1)
            assert got.server
            assert len(got.server._log_pool) <= MOST_OF_CLIENT
        finally:
            for _, writer in held:
                writer.transport.abort()


async def test_a_client_that_is_not_allowed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as got:
        assert got.server
        monkeypatch.setattr(got.server._allowed, "permits", lambda _: False)
        reader, writer = await asyncio.open_connection(HERE, got.log_port)
        assert await reader.read() == b""
        writer.close()
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(line(1), (HERE, got.log_port))
        assert (got.lines, got.datagrams) == ([], [])
