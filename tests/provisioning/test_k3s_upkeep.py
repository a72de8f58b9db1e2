"""The nodes of a k3s cluster are upgraded and restarted in turn: stand-ins with a real etcd, and their own programs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.founding import QUICK
from support.k3s.admin import as_admin, etcd_of, pods_on, run_pod
from support.k3s.founding import K3sSite, installing, joined, k3s_site
from support.k3s.kubernetes_api import VERSION as OLD
from support.k3s.tasked import Tasked, tasked, write
from support.k3s.workloads import VOLUMES
from support.node_programs import program
from support.waiting import until

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.provisioning.k3s_watch import K3sWatch
from iluvatar_pxe.values import replace

NEW = "v1.36.4+k3s1"
LAYER = "kind: k3s\nimage: ubuntu\nservers: {servers}\nroot: {{kind: disk}}\nk3s: {{version: {version}}}\n"
ASSETS = {
    name: name.encode()
    for version in (OLD, NEW)
    for name in (f"k3s/{version}/k3s-arm64", f"k3s/{version}/k3s-airgap-images-arm64.tar.zst")
}


@asynccontextmanager
async def running(
    tmp_path: Path, servers: int, agents: int, age: timedelta = timedelta()
) -> AsyncIterator[Tasked]:
    """Give nodes that have joined, and ask for tasks; their certificates are as old as ``age``."""
    async with k3s_site(tmp_path, servers, agents) as site, tasked(site, dict(ASSETS)) as nodes:
        await push(site, OLD)
        nodes.start()
        for pi in site.pis.values():
            nodes.lay(pi, OLD)
            pi.machine.clock.off = -age
        async with installing(site, site.pis.values()):
            await joined(site, site.pis.values())
        await until(lambda: isinstance(watch_of(site).step, Founded))
        for pi in site.pis.values():
            pi.machine.clock.off = timedelta()
        timers = asyncio.create_task(nodes.ticks())
        try:
            yield nodes
        finally:
            timers.cancel()
            with suppress(asyncio.CancelledError):
                await timers


async def push(site: K3sSite, version: str) -> None:
    site.change({"layers/ainur.yaml": LAYER.format(servers=len(site.servers), version=version)})
    await site.refresh()


def watch_of(site: K3sSite) -> K3sWatch:
    watch = site.daemons[0].watch
    assert watch
    return watch


async def shown(site: K3sSite) -> dict[str, tuple[str, bool]]:
    """Return by name the version of each node, and whether it may run pods."""
    found = json.loads(await as_admin(site.servers[0].machine).ask("/api/v1/nodes"))
    return {
        one["metadata"]["name"]: (
            one["status"]["nodeInfo"]["kubeletVersion"],
            not one["spec"].get("unschedulable"),
        )
        for one in found["items"]
    }


async def have_volume(site: K3sSite, robustness: str) -> None:
    volume = {"metadata": {"name": "pvc-1"}, "status": {"robustness": robustness}}
    await as_admin(site.servers[0].machine).ask(
        VOLUMES,
        method="POST",
        headers={"Content-Type": "application/json"},
        data=json.dumps(volume).encode(),
    )


def said(site: K3sSite) -> str:
    return watch_of(site).upkeep.line or ""


@pytest.mark.parametrize("servers", [1, pytest.param(3, marks=pytest.mark.long)])
async def test_servers_and_then_agents_are_upgraded_one_at_a_time_although_the_daemon_is_killed(
    tmp_path: Path, servers: int
) -> None:
    async with running(tmp_path, servers, agents=1) as nodes:
        site = nodes.site
        first, *others = site.pis
        await run_pod(site.servers[0].machine, "web", site.servers[-1].name)
        await push(site, NEW)
        assert 'version: "v1.36.3+k3s1"' in site.record()
        await watch_of(site).upgrade(NEW)
        await until(lambda: nodes.restarted == [first])
        await site.daemons[0].kill()
        nodes.start()
        for name in others:
            await until(lambda: nodes.restarted[-1] == name)  # noqa: B023 - it is waited for here
        await until(lambda: watch_of(site).upkeep.line is None)
        assert nodes.restarted == [first, *others]
        assert await shown(site) == dict.fromkeys(site.pis, (NEW, True))
        assert await pods_on(site.servers[0].machine, site.servers[-1].name) == set()
        members = await etcd_of(site.servers[0].machine).members()
        assert len([one for one in members if not one.is_learner]) == servers
        assert site.inits == 1


@pytest.mark.long
async def test_the_first_fault_stops_an_upgrade_until_it_is_asked_for_again(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1, agents=1) as nodes:
        site, (founder,) = nodes.site, nodes.site.daemons
        binary = f"k3s/{NEW}/k3s-arm64"
        nodes.assets[binary] = f"k3s/{OLD}/built anew".encode()  # it calls itself by the wrong version
        await push(site, NEW)
        await founder.kill()
        founder.context = replace(founder.context, pace=replace(QUICK, late=15.0))
        nodes.start()
        await until(lambda: founder.watch is not None and isinstance(founder.watch.step, Founded))
        await watch_of(site).upgrade(NEW)
        await until(
            lambda: "ainur-01: is not through with upgrade/v1.36.4+k3s1/1 in time; it says done" in said(site)
        )
        assert said(site).endswith("then run: iluvatar-pxe cluster upgrade --layer ainur")
        assert founder.clusters.k3s.problem == said(site)
        assert "ainur-01" in founder.clusters.k3s.awaited
        assert nodes.restarted == ["ainur-01"]
        nodes.assets[binary] = ASSETS[binary]
        await founder.kill()
        founder.context = replace(founder.context, pace=QUICK)
        nodes.start()
        await until(lambda: founder.watch is not None and isinstance(founder.watch.step, Founded))
        await watch_of(site).upgrade(NEW)
        await until(lambda: len(nodes.restarted) == 3 and watch_of(site).upkeep.line is None)
        assert await shown(site) == dict.fromkeys(site.pis, (NEW, True))


@pytest.mark.long
async def test_a_node_restarts_in_its_turn_when_its_operating_system_needs_that(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1, agents=2) as nodes:
        site = nodes.site
        agents = [pi for pi in site.pis.values() if not pi.role.leads]
        await run_pod(site.servers[0].machine, "web", agents[0].name)
        await have_volume(site, "degraded")
        for pi in agents:
            write(pi.machine.root / "run/reboot-required", "")
        await until(lambda: "Longhorn's volumes pvc-1 lack a healthy copy" in said(site))
        assert nodes.restarted == []
        await have_volume(site, "healthy")
        await until(lambda: nodes.restarted[:1] == [f"{agents[0].name} reboots"])
        await until(lambda: nodes.restarted == [f"{pi.name} reboots" for pi in agents])
        await until(lambda: watch_of(site).upkeep.line is None)
        assert await shown(site) == dict.fromkeys(site.pis, (OLD, True))
        assert await pods_on(site.servers[0].machine, agents[0].name) == set()


@pytest.mark.long
async def test_k3s_is_restarted_in_turn_where_its_certificates_end_within_120_days(tmp_path: Path) -> None:
    async with running(tmp_path, servers=3, agents=1, age=timedelta(days=300)) as nodes:
        site = nodes.site
        files = [pi.machine.root / "var/lib/rancher/k3s/server/tls/etcd/client.crt" for pi in site.servers]
        before = [file.read_bytes() for file in files]
        ready_at = []
        for count in range(1, 5):
            await until(lambda: len(nodes.restarted) == count)  # noqa: B023 - it is waited for here
            ready_at.append({pi.name for pi in site.pis.values() if pi.machine.is_ready})
        await until(lambda: days_left(nodes) > 300 and watch_of(site).upkeep.line is None)
        *servers, agent = nodes.restarted
        assert (sorted(servers), agent) == (["ainur-01", "ainur-02", "ainur-03"], "ainur-04")
        assert all(
            ready >= {*site.pis} - {name} for name, ready in zip(nodes.restarted, ready_at, strict=True)
        )
        assert not {*before} & {file.read_bytes() for file in files}
        assert await shown(site) == dict.fromkeys(site.pis, (OLD, True))


def days_left(nodes: Tasked) -> int:
    """Return for how many days the certificates of all nodes are valid."""
    ends = [program("tasks").first_end(pi.machine.root) for pi in nodes.site.pis.values()]
    return min((datetime.fromtimestamp(end, UTC) - datetime.now(UTC)).days for end in ends)


@pytest.mark.long
async def test_a_version_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1, agents=0) as nodes:
        for version, why in {
            "v1.36.2+k3s1": "newer",
            "v1.38.0+k3s1": "no minor version may be skipped",
        }.items():
            with pytest.raises(OperationError, match=why):
                await watch_of(nodes.site).upgrade(version)
        assert "upgrade" not in nodes.site.record()
