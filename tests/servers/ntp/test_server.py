"""Network time on loopback: asked by ntpdig, and by requests of the test."""

import asyncio
import json
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import IPv4Address, IPv4Network

import pytest
from structlog.testing import capture_logs
from support.ports import free_port
from support.waiting import PATIENCE

from iluvatar_pxe.host.clock import clock_is_in_step
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.servers.allowed import Networks
from iluvatar_pxe.servers.ntp.server import IN_STEP, MOST_WAITING, NtpServer
from iluvatar_pxe.settings.model import NtpSettings

YES, NO = ("printf", "yes\\n"), ("printf", "no\\n")
SLOWLY = ("sh", "-c", "sleep 0.3; echo yes")
"""Stand-ins for timedatectl."""
REQUEST = bytes.fromhex("e3" + "00" * 39 + "eeb7216785c60000")
NTP_PORT = 123
SECONDS_UNTIL_1970 = 2_208_988_800


@asynccontextmanager
async def serving(
    address: str = "127.0.0.1",
    port: int | None = None,
    allow: Networks = ("local",),
    *,
    in_step: Sequence[str] = YES,
    enabled: bool = True,
) -> AsyncIterator[int]:
    """Serve the time, and yield the port."""
    port = port or free_port()
    async with running(address, port, allow, in_step=in_step, enabled=enabled):
        yield port


@asynccontextmanager
async def running(
    address: str = "127.0.0.1",
    port: int | None = None,
    allow: Networks = ("local",),
    *,
    in_step: Sequence[str] = YES,
    enabled: bool = True,
) -> AsyncIterator[NtpServer]:
    """Serve the time, and yield the server."""
    port = port or free_port()
    server = NtpServer(NtpSettings(port=port, enabled=enabled), allow, partial(clock_is_in_step, in_step))
    server.serve([Interface("lo", 1, IPv4Address(address), IPv4Network("127.0.0.0/8"))])
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        task.cancel()
        server.close()


async def ask(port: int, request: bytes = REQUEST, seconds: float = PATIENCE) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
        client.connect(("127.0.0.1", port))
        client.send(request)
        async with asyncio.timeout(seconds):
            return await loop.sock_recv(client, 512)


async def answered_soon(port: int) -> bytes:
    """Ask again and again, as clients do."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(TimeoutError):
                return await ask(port, seconds=0.2)


async def test_the_time_of_a_clock_that_is_in_step() -> None:
    async with serving() as port:
        before, reply, after = time.time(), await ask(port), time.time()
    assert (reply[0], reply[1], reply[24:32]) == (0x24, IN_STEP.stratum, REQUEST[40:48])
    received, sent = (int.from_bytes(reply[at : at + 8]) / 2**32 for at in (32, 40))
    assert before <= received - SECONDS_UNTIL_1970 + 1e-3
    assert received <= sent <= after + SECONDS_UNTIL_1970 + 1e-3


async def test_a_clock_that_is_not_in_step_tells_no_time_and_the_log_says_so_once() -> None:
    with capture_logs() as logs:
        async with serving(in_step=NO) as port:
            replies = [await ask(port) for _ in range(2)]
    assert {reply[0] >> 6 for reply in replies} == {3}
    assert {reply[1] for reply in replies} == {0}
    assert [line["event"] for line in logs] == ["ntp.unknown"]


async def test_who_is_in_none_of_the_allowed_networks_gets_no_answer() -> None:
    with capture_logs() as logs:
        async with serving(allow=(IPv4Network("192.0.2.0/24"),)) as port:
            with pytest.raises(TimeoutError):
                await ask(port, seconds=0.3)
    assert [(line["event"], line["peer"]) for line in logs] == [("ntp.refused", "127.0.0.1")]


async def test_damage_stops_nothing() -> None:
    async with serving() as port:
        with pytest.raises(TimeoutError):
            await ask(port, b"\x24" + REQUEST[1:], seconds=0.3)
        assert await ask(port)


async def test_a_port_that_another_program_has_is_left_to_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, capture_logs() as logs:
        other.bind(("127.0.0.1", 0))
        async with serving(port=other.getsockname()[1]):
            pass
    assert [line["event"] for line in logs] == ["ntp.off"]


@pytest.mark.parametrize(
    ("in_step", "told"), [(YES, ""), (NO, "this host's clock is not in step with a time server")]
)
async def test_whether_machines_are_told_the_time_is_known(in_step: Sequence[str], told: str) -> None:
    async with running(in_step=in_step) as server:
        await server.look()
        assert told in " ".join(server.lines)
        assert bool(told) == bool(server.lines)


@pytest.mark.parametrize(("in_step", "allows"), [(YES, True), (NO, True), (YES, False)])
async def test_another_program_is_asked_whether_it_tells_machines_the_time(
    in_step: Sequence[str], *, allows: bool
) -> None:
    """Our own server is the other program: it refuses this host's addresses, but for loopback."""
    allow: Networks = ("local",) if allows else (IPv4Network("192.0.2.0/24"),)
    told = "and does not tell machines the time; let it (chrony: allow), or stop it and restart the daemon"
    async with serving(in_step=in_step, allow=allow) as port, running(port=port) as server:
        await server.look()
        line = f"another program has UDP 127.0.0.1:{port}, {told}"
        assert server.lines == ([] if in_step is YES and allows else [line])


async def test_switched_off_nothing_is_bound() -> None:
    async with serving(enabled=False) as port:
        with pytest.raises(ConnectionRefusedError):
            await ask(port)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ntpdig"), reason="needs root, and ntpdig")
@pytest.mark.parametrize("in_step", [True, False], ids=["in step", "free running"])
async def test_an_independent_client_takes_the_time_of_a_clock_in_step_only(*, in_step: bool) -> None:
    """It asks at port 123 only, so each test has an address of its own."""
    address = f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250 + 1}.1"
    async with serving(address, NTP_PORT, in_step=YES if in_step else NO):
        client = await asyncio.create_subprocess_exec(
            *("ntpdig", "--json", "--timeout", "1", address), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await client.communicate()
    if not in_step:
        assert (client.returncode, output) == (1, b"")
        return
    told = json.loads(output)
    assert (client.returncode, told["stratum"], told["ip"]) == (0, IN_STEP.stratum, address)
    assert abs(told["offset"]) < 0.1


@pytest.mark.parametrize(
    ("command", "found"),
    [
        pytest.param(YES, True, id="yes"),
        pytest.param(NO, False, id="no"),
        pytest.param(("false",), False, id="without systemd"),
        pytest.param(("there-is-no-such-program",), False, id="without the program"),
    ],
)
async def test_what_systemd_says_of_the_clock(command: tuple[str, ...], *, found: bool) -> None:
    assert await clock_is_in_step(command) is found


async def test_a_flood_is_answered_as_far_as_it_may_wait_and_the_rest_refused() -> None:
    with capture_logs() as logs, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        async with serving(in_step=SLOWLY) as port:
            for _ in range(2 * MOST_WAITING):
                client.sendto(REQUEST, ("127.0.0.1", port))
                await asyncio.sleep(0)
            assert await answered_soon(port)
    assert "requests wait already" in str(logs)
