"""Machines with the files that the daemon makes form one cluster under k3s' rules, in whatever order they start."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.ainur import bundle_of
from support.k3s.admin import as_admin, delete_node, etcd_of, ready_nodes
from support.k3s.membership import DUPLICATE
from support.k3s.rendered import RenderedCluster
from support.waiting import until

from iluvatar_pxe.layers.ainur.part import K3sPart

SERVERS, AGENTS = ["ainur-01", "ainur-02", "ainur-03"], ["ainur-04", "ainur-05", "ainur-06"]
PARTS = {
    "ainur-01": K3sPart.INIT,
    **dict.fromkeys(SERVERS[1:], K3sPart.JOIN_SERVER),
    **dict.fromkeys(AGENTS, K3sPart.AGENT),
}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RenderedCluster]:
    cluster = RenderedCluster(tmp_path)
    yield cluster
    await cluster.end()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 5))])
async def test_all_join_one_cluster_in_any_order_and_a_lost_founder_makes_no_second_one(
    cluster: RenderedCluster, seed: int
) -> None:
    for name, part in PARTS.items():
        cluster.machine(name, part)
    for machine in random.Random(seed).sample([*cluster.machines.values()], len(PARTS)):
        await machine.power_on()
    await until(lambda: all(machine.is_ready for machine in cluster.machines.values()))
    founder, other = cluster.machines["ainur-01"], cluster.machines["ainur-02"]
    assert await ready_nodes(as_admin(founder)) == {*SERVERS, *AGENTS}
    assert len([one for one in await etcd_of(founder).members() if not one.is_learner]) == len(SERVERS)

    await founder.power_cut()
    founder.lose_disk()
    cluster.install("ainur-01", K3sPart.JOIN_SERVER)
    await founder.power_on()
    await until(lambda: founder.said(DUPLICATE))
    await delete_node(other, "ainur-01")
    await until(lambda: founder.is_ready)
    assert sum(machine.inits for machine in cluster.machines.values()) == 1
    assert not [line for one in cluster.machines.values() for line in one.journal if "generated" in line]
    assert not [line for one in cluster.machines.values() for line in one.journal if "Unknown flag" in line]


async def test_a_machine_of_another_cluster_is_refused_and_an_agent_never_has_what_servers_have(
    cluster: RenderedCluster, tmp_path: Path
) -> None:
    founder, agent = cluster.machine("ainur-01", K3sPart.INIT), cluster.machine("ainur-04", K3sPart.AGENT)
    other = RenderedCluster(tmp_path / "other", "other", cluster.site)
    strangers = [other.machine("ainur-02", K3sPart.JOIN_SERVER), other.machine("ainur-05", K3sPart.AGENT)]
    cluster.site.names[cluster.cluster.api] = [founder.address]
    try:
        for machine in (founder, agent, *strangers):
            await machine.power_on()
        words = "token CA hash does not match the Cluster CA certificate hash"
        await until(lambda: all(stranger.said(words) for stranger in strangers))
        await until(lambda: agent.is_ready)
    finally:
        await other.end()
    held = "".join(file.read_text() for file in sorted(agent.root.rglob("*")) if file.is_file())
    bundle = bundle_of()
    assert bundle.agent_token in held
    hidden = (bundle.server_token, bundle.service_key, bundle.server.key, bundle.client.key)
    assert not [secret for secret in hidden if secret in held]


async def test_a_machine_that_is_installed_again_proves_its_name_by_the_same_password(
    cluster: RenderedCluster,
) -> None:
    founder, agent = cluster.machine("ainur-01", K3sPart.INIT), cluster.machine("ainur-04", K3sPart.AGENT)
    await founder.power_on()
    async with agent:
        await until(lambda: agent.is_ready)
    agent.lose_disk()
    cluster.install("ainur-04", K3sPart.AGENT)
    await agent.power_on()
    await until(lambda: agent.is_ready)
