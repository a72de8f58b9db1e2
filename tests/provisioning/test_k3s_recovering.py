"""A k3s cluster of stand-ins, with a real etcd, is brought back after it has lost its founder or its quorum."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.k3s.admin import as_admin, etcd_of, snapshot_of
from support.k3s.fatal import RequestError
from support.k3s.founding import K3sSite, installing, joined, k3s_site
from support.k3s.machine import Machine
from support.k3s.tasks import with_tasks
from support.waiting import PATIENCE, until

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.gitops.secrets.sealing import seal
from iluvatar_pxe.layers.ainur.node_tasks import Kind
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.ainur.recovery import GiveUp, NewFounder, Nothing, Reset, Restore, mark_of
from iluvatar_pxe.layers.etcd.snapshots import name_of
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.provisioning.kept_snapshots import KeptSnapshots
from iluvatar_pxe.values import replace

RECORDED = [
    "ainur is recovered with {0}",
    "{0} is the only member of ainur's etcd",
    "The recovery of ainur is over",
]


async def running(site: K3sSite) -> None:
    """Have all servers of a site join."""
    for founder in site.daemons:
        founder.start()
    async with installing(site, site.servers[:1]):
        await joined(site, site.servers[:1])
    await until(lambda: isinstance(site.daemons[0].watch and site.daemons[0].watch.step, Founded))
    async with installing(site, site.servers[1:]):
        await joined(site, site.servers)


async def voters(site: K3sSite, which: int) -> set[str]:
    """Return the names of the nodes that vote in etcd, as one server has them; none while that does not answer."""
    try:
        found = await etcd_of(site.servers[which].machine).members()
    except RequestError:
        return set()
    return {one.name.rpartition("-")[0] for one in found if not one.is_learner}


async def are_voters(site: K3sSite, which: int, names: set[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while await voters(site, which) != names:
            await site.servers[which].machine.site.pause()


async def nodes(machine: Machine) -> set[str]:
    """Return the names of a server's Nodes: each kubelet makes its own again once its server runs."""
    found = json.loads(await as_admin(machine).ask("/api/v1/nodes"))["items"]
    return {node["metadata"]["name"] for node in found}


async def has_nodes(machine: Machine, names: set[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while await nodes(machine) != names:
            await machine.site.pause()


async def plan(site: K3sSite, server: str = "") -> Reset:
    """Return the plan for a cluster, once its servers have told that they have data."""
    clusters = site.daemons[0].clusters.k3s
    async with asyncio.timeout(PATIENCE):
        while not isinstance(found := await clusters.recover("ainur", server), Reset):
            await site.servers[0].machine.site.pause()
    return found


async def test_servers_that_lost_their_quorum_become_one_cluster_again_while_daemons_are_killed(
    tmp_path: Path,
) -> None:
    async with k3s_site(tmp_path, servers=3, daemons=("one", "two")) as site, with_tasks(site, site.servers):
        await running(site)
        first, second, third = site.servers
        uid = await as_admin(second.machine).ask("/api/v1/namespaces/kube-system")
        for pi in site.servers:
            await pi.machine.power_cut()
        await second.machine.power_on()
        agreed = await plan(site)
        assert (agreed.server, agreed.others) == ("ainur-02", ("ainur-01", "ainur-03"))
        clusters = site.daemons[0].clusters.k3s
        with pytest.raises(OperationError, match="something has changed meanwhile"):
            await clusters.recover("ainur", "", "another plan")
        await clusters.recover("ainur", "", mark_of(agreed))
        await site.daemons[0].kill()
        await site.daemons[1].follows.follower.refresh()
        await until(lambda: site.log()[-1] == RECORDED[1].format("ainur-02"))
        await first.machine.power_on()
        await are_voters(site, 1, {"ainur-01", "ainur-02"})
        await site.daemons[1].kill()
        site.daemons[0].start()
        await site.daemons[0].follows.follower.refresh()
        clusters = site.daemons[0].clusters.k3s
        await until(lambda: any("ainur-03 is no member again yet" in line for line in clusters.lines))
        known = clusters.node_tasks.given("ainur-03")
        assert known
        assert known.kind is Kind.FORGET_ETCD, "it is told before its k3s starts with its old data"
        await third.machine.power_on()
        await until(lambda: site.log()[-3:] == [line.format("ainur-02") for line in RECORDED])
        await are_voters(site, 1, {pi.name for pi in site.servers})
        assert await as_admin(third.machine).ask("/api/v1/namespaces/kube-system") == uid
        assert site.inits == 1
        resets = [pi.name for pi in site.servers if pi.machine.said("membership has been reset")]
        assert resets == ["ainur-02"]
        data = "var/lib/rancher/k3s/server"
        assert len(list((first.machine.root / data).glob("db-before-*"))) == 1
        assert len(list((second.machine.root / data).glob("db/etcd-before-*"))) == 1
        assert "recovery" not in site.record()


@pytest.mark.long
async def test_a_server_that_loses_its_power_while_it_is_reset_goes_on(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site, with_tasks(site, site.servers):
        await running(site)
        for pi in site.servers:
            await pi.machine.power_cut()
        machine = site.servers[1].machine
        server = machine.root / "var/lib/rancher/k3s/server"
        await machine.power_on()
        await site.daemons[0].clusters.k3s.recover("ainur", "", mark_of(await plan(site)))
        await until((server / "db/reset-flag").exists)
        await machine.power_cut()
        state = json.loads((machine.root / "var/lib/rancher/iluvatar/task.json").read_text())
        assert (state["task"]["kind"], state["state"]) == ("reset", "begun")
        assert not machine.said("membership has been reset")
        await machine.power_on()
        await until(lambda: site.log()[-1] == RECORDED[1].format("ainur-02"))
        assert await voters(site, 1) == {"ainur-02"}
        assert machine.inits == 0
        assert len(list((server / "db").glob("etcd-before-*"))) == 1


@pytest.mark.long
async def test_a_recovery_that_has_failed_is_given_up_by_the_command_and_begun_again(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site, with_tasks(site, site.servers):
        await running(site)
        for pi in site.servers:
            await pi.machine.power_cut()
        clusters, machine = site.daemons[0].clusters.k3s, site.servers[1].machine
        await machine.power_on()
        agreed = await plan(site)
        in_the_way = machine.root / "etc/rancher/k3s/config.yaml.d/60-own.yaml"
        in_the_way.write_text("server: https://10.0.0.1:6443\n")
        await clusters.recover("ainur", "", mark_of(agreed))
        await until(lambda: "run: iluvatar-pxe cluster recover --layer ainur" in (clusters.problem or ""))
        assert "cannot perform cluster-reset while server URL is set" in (clusters.problem or "")
        in_the_way.unlink()
        given_up = await clusters.recover("ainur", "")
        assert isinstance(given_up, GiveUp)
        await clusters.recover("ainur", "", mark_of(given_up))
        assert site.log()[-1] == "The recovery of ainur is given up"
        assert "recovery" not in site.record()
        await clusters.recover("ainur", "", mark_of(await plan(site)))
        await until(lambda: site.log()[-1] == RECORDED[1].format("ainur-02"))
        assert await voters(site, 1) == {"ainur-02"}


async def test_a_healthy_cluster_is_left_alone_and_one_that_came_back_by_itself_too(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site, with_tasks(site, site.servers):
        await running(site)
        clusters = site.daemons[0].clusters.k3s
        found = await clusters.recover("ainur", "")
        assert isinstance(found, Nothing)
        assert found.is_well
        log = site.log()
        first, second, third = site.servers
        for pi in (second, third):
            await pi.machine.power_cut()
        agreed = await plan(site)
        assert agreed.server == "ainur-01"
        first.machine.before_k3s = None  # it is not reached by its tasks any more
        before = json.dumps(sorted(await voters(site, 0)))
        await second.machine.power_on()
        await until(lambda: second.machine.is_ready)
        with pytest.raises(OperationError, match="something has changed meanwhile"):
            await clusters.recover("ainur", "", mark_of(agreed))
        assert site.log() == log
        assert json.dumps(sorted(await voters(site, 0))) == before


@pytest.mark.parametrize("servers", [1, pytest.param(3, marks=pytest.mark.long)])
async def test_a_snapshot_is_restored_where_all_data_is_lost(tmp_path: Path, servers: int) -> None:
    async with k3s_site(tmp_path, servers=servers) as site, with_tasks(site, site.servers) as https:
        (pi, *others), (founder,) = site.servers, site.daemons
        kept = KeptSnapshots(tmp_path / "snapshots", tmp_path / "one.key", https.certificate, https.port)
        founder.context = replace(founder.context, snapshots=kept)
        await running(site)
        admin = as_admin(pi.machine)
        gone = {"metadata": {"name": "gone", "labels": {}, "annotations": {}}, "spec": {}, "status": {}}
        await admin.ask("/api/v1/nodes", method="POST", data=json.dumps(gone).encode())
        uid = await admin.ask("/api/v1/namespaces/kube-system")
        clear, taken = tmp_path / "clear", datetime(2026, 11, 29, 2, tzinfo=UTC)
        await snapshot_of(pi.machine, clear)
        sealed = tmp_path / "snapshots/ainur" / name_of(taken)
        sealed.parent.mkdir(parents=True)
        sealed.write_bytes(seal(clear.read_bytes(), founder.context.fleet().recipients.keys))
        for one in site.servers:
            await one.machine.power_cut()
        for one in site.servers:
            one.machine.lose_disk()
        async with installing(site, site.servers):
            await until(lambda: all("its data is lost" in one.waits for one in site.servers))
            clusters = founder.clusters.k3s
            agreed = await clusters.recover("ainur", "")
            assert agreed == Restore("ainur-01", tuple(one.name for one in others), taken)
            await clusters.recover("ainur", "", mark_of(agreed))
            await until(lambda: site.log()[-3:] == [line.format("ainur-01") for line in RECORDED])
        assert pi.told == [K3sPart.INIT, K3sPart.JOIN_SERVER]
        assert site.inits == 1
        await are_voters(site, 0, {one.name for one in site.servers})
        assert await as_admin(pi.machine).ask("/api/v1/namespaces/kube-system") == uid
        await has_nodes(pi.machine, {one.name for one in site.servers})
        assert not list(pi.machine.root.rglob("iluvatar-snapshot*"))


async def test_another_server_founds_the_cluster_whose_founder_is_lost(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site:
        (founder,), (first, second, third) = site.daemons, site.servers
        founder.start()
        first.has_power = False
        async with installing(site, [first]):
            await until(lambda: first.told)
        async with installing(site, [second, third]):
            await until(lambda: "ainur-01: " in founder.line)
            clusters = founder.clusters.k3s
            found = await clusters.recover("ainur", "")
            assert found == NewFounder("ainur-01")
            await clusters.recover("ainur", "", mark_of(found))
            await joined(site, [second, third])
        assert "generation: 2" in site.record()
        assert len([pi for pi in (second, third) if K3sPart.INIT in pi.told]) == 1
