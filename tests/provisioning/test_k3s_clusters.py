"""Stand-ins for k3s become one cluster, initialised once, whatever happens to machines and daemons meanwhile."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest
from support.ainur import BEGIN, node_of
from support.k3s.admin import as_admin, ready_nodes
from support.k3s.founding import K3sSite, file_of, installing, joined, k3s_site
from support.k3s.rendered import lay
from support.secrets_of import k3s_bundle_of
from support.talos.clock import Clock
from support.waiting import until

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.layers.ainur.k3s_files import public_files, secret_files
from iluvatar_pxe.layers.ainur.node import K3sCluster
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.founding import Founded, Refuse
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning import k3s_askers
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository
from iluvatar_pxe.values import replace

SECRETS = "ainur has its secrets"


async def waiting(site: K3sSite, words: str, shown_of: str = "", which: int = 0) -> str:
    """Wait until ``cluster status`` has these words, and ``machines show`` of a machine, too, if one is given."""
    founder = site.daemons[which]
    line = await until(lambda: founder.line if words in founder.line else "")
    assert not shown_of or words in founder.clusters.awaited[shown_of]
    return line


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 7))])
async def test_servers_and_agents_in_any_order_become_one_cluster(tmp_path: Path, seed: int) -> None:
    async with k3s_site(tmp_path, servers=3, agents=3) as site:
        site.daemons[0].start()
        order = random.Random(seed).sample([*site.pis.values()], 6)
        async with installing(site, order):
            await joined(site, order)
        assert site.inits == 1
        assert len(site.told_to_initialise) == 1
        (founder,) = site.told_to_initialise
        assert site.log() == [SECRETS, f"ainur is founded by {founder}", "ainur is founded"]
        assert await ready_nodes(as_admin(site.servers[0].machine)) == set(site.pis)
        assert site.daemons[0].clusters.lines == []
        assert site.daemons[0].clusters.awaited == {}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
async def test_two_daemons_that_are_killed_again_and_again_initialise_once(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with k3s_site(tmp_path, servers=3, daemons=("one", "two")) as site:
        async with installing(site, site.servers, asked=(0, 1)):
            for _ in range(10):
                for founder in site.daemons:
                    founder.start()
                await asyncio.sleep(dice.uniform(0, 0.6))
                for founder in site.daemons:
                    await founder.kill()
            for founder in site.daemons:
                founder.start()
            await until(lambda: all(pi.machine.is_ready for pi in site.servers))
        await until(lambda: site.log()[-1:] == ["ainur is founded"])
        assert site.inits == 1
        assert len(site.told_to_initialise) == 1
        assert [line for line in site.log() if "founded by" in line] == [
            f"ainur is founded by {next(iter(site.told_to_initialise))}"
        ]


@pytest.mark.long  # the daemons above let them join, too
async def test_two_daemons_let_servers_join_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k3s_askers, "JOIN_SECONDS", 5.0)
    async with k3s_site(tmp_path, servers=3, daemons=("one", "two")) as site:
        first, second, third = site.servers
        for founder in site.daemons:
            founder.start()
        async with installing(site, [first]):
            await joined(site, [first])
        await until(lambda: site.log()[-1] == "ainur is founded")
        await site.refresh()
        second.has_power = False
        async with installing(site, [second]):
            await until(lambda: second.told)
        async with installing(site, [third], asked=(1,)):
            await until(lambda: third.waits == "ainur-02 joins first")
            await until(lambda: third.machine.is_ready)  # since ainur-02 takes too long
        assert third.told == [K3sPart.JOIN_SERVER]


async def test_a_founder_that_lost_its_disk_joins_as_the_others_do(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site:
        (founder,) = site.daemons
        founder.start()
        first = site.servers[0]
        async with installing(site, [first]):
            await joined(site, [first])
        async with installing(site, site.servers[1:]):
            await joined(site, site.servers)
        await first.machine.power_cut()
        first.machine.lose_disk()
        async with installing(site, [first]):
            await until(lambda: "the cluster still has ainur-01 as a member" in first.waits)
            await until(lambda: first.machine.is_ready)
        assert first.told == [K3sPart.INIT, K3sPart.JOIN_SERVER]
        assert site.inits == 1


async def test_a_stale_daemon_does_not_initialise_again_what_it_does_not_know_to_be_founded(
    tmp_path: Path,
) -> None:
    async with k3s_site(tmp_path, servers=1, daemons=("one", "two")) as site:
        (pi,), (one, two) = site.servers, site.daemons
        one.start()
        async with installing(site, [pi]):
            await until(lambda: site.log()[-1] == "ainur is founded")
        await one.kill()
        await pi.machine.power_cut()
        pi.machine.lose_disk()
        record = two.context.fleet().clusters["ainur"]
        assert not record.founded  # it has not pulled since
        two.start()
        async with installing(site, [pi], asked=(1,)):
            await waiting(site, "its data is lost", "ainur-01", which=1)
        assert pi.told == [K3sPart.INIT]
        assert "restore a snapshot" in (two.clusters.problem or "")


async def test_a_lost_founder_is_waited_for_until_its_file_is_removed(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site:
        (founder,), (first, second, third) = site.daemons, site.servers
        founder.start()
        first.has_power = False
        async with installing(site, [first]):
            await until(lambda: first.told)
        async with installing(site, [second, third]):
            line = await waiting(site, "ainur: ainur-01: ", "ainur-01")
            assert line.endswith("if it is gone for good, remove its file in machines/")
            await until(lambda: line.removeprefix("ainur: ") in second.waits + third.waits)
            site.change(dict.fromkeys(file_of(first)))
            await site.refresh()
            await joined(site, [second, third])
        assert site.log()[-3] == "ainur is founded again"
        assert "generation: 2" in site.record()
        assert len(site.told_to_initialise - {"ainur-01"}) == 1


@pytest.mark.long
async def test_a_power_cut_of_all_with_their_data_kept_needs_nobody(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site:
        site.daemons[0].start()
        async with installing(site, site.servers):
            await joined(site, site.servers)
        for pi in site.servers:
            await pi.machine.power_cut()
        await site.daemons[0].kill()
        site.daemons[0].start()
        async with installing(site, site.servers):  # as systems in memory, which ask at each start
            await until(lambda: all(pi.machine.is_ready for pi in site.servers))
            await until(lambda: isinstance(site.daemons[0].watch and site.daemons[0].watch.step, Founded))
        assert site.inits == 1


async def test_a_server_of_another_cluster_is_named_and_nothing_is_founded(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site:
        (founder,), (first, second, _) = site.daemons, site.servers
        other = K3sCluster(name="ainur", domain="home.arpa", k3s=K3s(), bundle=k3s_bundle_of("other", BEGIN))
        node = node_of(second.name)
        name = {"/etc/hostname": NodeFile("ainur-02\n")}
        lay(
            second.machine.root,
            {**name, **public_files(other, node), **secret_files(other, node, K3sPart.INIT)},
        )
        await second.machine.power_on()
        await until(lambda: second.machine.is_ready)
        founder.start()
        async with installing(site, [first]):
            await waiting(site, "its certificate is not of this cluster's CA", "ainur-02")
            assert "machines reinstall ainur-02 --wipe" in (founder.clusters.problem or "")
            await until(lambda: "not of this cluster's CA" in first.waits)
        assert site.log() == [SECRETS]
        assert first.told == []


@pytest.mark.long
async def test_servers_join_singly(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=3) as site:
        (founder,), (first, second, third) = site.daemons, site.servers
        founder.start()
        async with installing(site, [first]):
            await joined(site, [first])
        second.machine.clock = Clock(off=timedelta(days=-20000))  # k3s ends at once, and is started again
        async with installing(site, [second]):
            await until(lambda: second.told)
        async with installing(site, [third]):
            await until(lambda: third.waits == "ainur-02 joins first")
            assert founder.clusters.awaited["ainur-03"] == "ainur: ainur-02 joins first"
            await second.machine.power_cut()
            second.machine.clock = Clock()
            await second.machine.power_on()
            await joined(site, site.servers)


async def test_who_may_not_commit_says_who_is_to(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=1) as site:
        (founder,) = site.daemons
        may = founder.context.repository
        founder.context = replace(founder.context, repository=ClusterRepository(may.revision))
        founder.start()
        async with installing(site, site.servers):
            await waiting(
                site, "ainur-01 is to found it: it asks for its secrets, and no server runs, but this"
            )
        assert isinstance(founder.watch and founder.watch.step, Refuse)
        assert site.servers[0].told == []


async def test_one_that_has_its_secrets_and_does_not_become_ready_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k3s_askers, "JOIN_SECONDS", 0.5)
    async with k3s_site(tmp_path, servers=1, agents=1) as site:
        (founder,), (first, agent) = site.daemons, site.pis.values()
        founder.start()
        async with installing(site, [first]):
            await joined(site, [first])
        agent.machine.clock = Clock(off=timedelta(days=-20000))
        async with installing(site, [agent]):
            await until(lambda: "ainur-02" in founder.clusters.awaited)
        assert "it has its secrets, and no Node of it is ready" in founder.clusters.awaited["ainur-02"]
        machine = founder.follows.inventory.snapshot.machine(agent.mac)
        assert machine
        assert machine.phase is not Phase.JOINED
