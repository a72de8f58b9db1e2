"""Which leaders answer, asked for real, and what that makes of a cluster's name."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.api_server import ApiServer
from support.command import Host
from support.daemon import Daemon
from support.dig import dig
from support.fleets import ARDA
from support.machines import machine_of
from support.waiting import until, wait_until
from support.warm import run_warm

from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.servers.dns import api_probe
from iluvatar_pxe.servers.dns.api_probe import ApiProbe

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
ONE, TWO = (IPv4Address(f"127.66.{WORKER}.{number}") for number in (1, 2))


@pytest.fixture
async def probe() -> AsyncIterator[ApiProbe]:
    probe = ApiProbe()
    probe.want()
    asking = asyncio.create_task(probe.run(lambda: {ONE, TWO}, lambda: None))
    yield probe
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


async def test_who_answers_is_alive_as_long_as_it_does(probe: ApiProbe, tmp_path: Path) -> None:
    with ApiServer(tmp_path, str(ONE)):
        await until(lambda: probe.alive == {ONE})
        with ApiServer(tmp_path, str(TWO)):
            await until(lambda: probe.alive == {ONE, TWO})
        await until(lambda: probe.alive == {ONE})
    await until(lambda: not probe.alive)


async def test_a_server_that_says_it_is_broken_is_not_alive(probe: ApiProbe, tmp_path: Path) -> None:
    with ApiServer(tmp_path, str(ONE), status=500), ApiServer(tmp_path, str(TWO)) as other:
        await until(lambda: probe.alive == {TWO})
        other.status = 500
        await until(lambda: not probe.alive)
        other.status = 200
        await until(lambda: probe.alive == {TWO})


async def test_a_server_that_says_nothing_is_not_alive(probe: ApiProbe, tmp_path: Path) -> None:
    with socket.create_server((str(ONE), 6443)), ApiServer(tmp_path, str(TWO)):
        await until(lambda: probe.alive == {TWO})


async def test_a_redirect_is_an_answer_and_is_not_followed(probe: ApiProbe, tmp_path: Path) -> None:
    """Whoever has a leader's address would have this host ask anybody."""
    with ApiServer(tmp_path, str(ONE), status=302) as one:
        one.redirect = f"https://{ONE}:6443/elsewhere"
        await until(lambda: probe.alive == {ONE})
        await until(lambda: len(one.asked) > 1)
        assert set(one.asked) == {"/readyz"}


async def test_leaders_are_left_alone_while_nobody_wants_to_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that dies meanwhile is known to be dead before who asks next is answered."""
    monkeypatch.setattr(api_probe, "LINGER", 0)
    monkeypatch.setattr(api_probe, "INTERVAL", 0)
    monkeypatch.setattr(api_probe, "_FRESH", 0)
    probe, rounds, done = ApiProbe(), 0, asyncio.Event()

    def leaders() -> set[IPv4Address]:
        nonlocal rounds
        rounds += 1
        return {ONE, TWO}

    async def asked() -> frozenset[IPv4Address]:
        done.clear()
        assert not probe.want()
        await done.wait()
        return probe.alive

    asking = asyncio.create_task(probe.run(leaders, done.set))
    with ApiServer(tmp_path, str(ONE)):
        with ApiServer(tmp_path, str(TWO)):
            assert await asked() == {ONE, TWO}
        for _ in range(100):
            await asyncio.sleep(0)
        assert rounds == 1
        assert await asked() == {ONE}
    asking.cancel()
    await asyncio.wait([asking])


def control_plane(number: int, address: IPv4Address, phase: Phase) -> Machine:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    given = Assignment(name=f"arda-0{number}", layer="arda", role=Role.CONTROLPLANE, rule="rule 1", at=at)
    return machine_of(f"52:54:00:00:66:0{number}", assignment=given, address=address, phase=phase)


def test_the_name_of_a_cluster_follows_its_leaders(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("configs/controlplane.yaml", "its owner sets its phase\n")
    host.write("layers/arda.yaml", f"{ARDA}config: {{controlplane: configs/controlplane.yaml}}\n")
    host.know(control_plane(1, ONE, Phase.JOINED), control_plane(2, TWO, Phase.INSTALLING))
    with Daemon(tmp_path, {"dns": {"upstream": []}}) as daemon, ExitStack() as stack:
        port = daemon.settings["dns"]["port"]

        def api() -> set[str]:
            return set(dig(port, "api.arda.lab.home.arpa").values)

        wait_until(lambda: api() == {str(ONE)}, "the one that has joined, though it is not alive")
        run_warm("machines", "set", "arda-02", "--phase", "joined", "--config", str(daemon._file))
        wait_until(lambda: api() == {str(ONE), str(TWO)}, "all, while none is known to be alive")
        stack.enter_context(ApiServer(tmp_path, str(TWO)))
        wait_until(lambda: api() == {str(TWO)}, "the one that is alive")
        with ApiServer(tmp_path, str(ONE)):
            wait_until(lambda: api() == {str(ONE), str(TWO)}, "both")
        wait_until(lambda: api() == {str(TWO)}, "the other one to go")
        srv = dig(port, "_kubernetes._tcp.arda.lab.home.arpa", "SRV")
        assert srv.values == ["0 100 6443 arda-02.lab.home.arpa."]
        stack.close()
        wait_until(lambda: api() == {str(ONE), str(TWO)}, "all again: an empty answer helps nobody")
        run_warm("machines", "forget", "arda-01", "--yes", "--config", str(daemon._file))
        wait_until(lambda: api() == {str(TWO)}, "the one that is left")
