"""What k3s refuses, the stand-in refuses in k3s' words, and says so in its journal."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from support.k3s.admin import as_admin, delete_node, etcd_of
from support.k3s.by_hand import API, Cluster
from support.k3s.fatal import RequestError
from support.k3s.kubelet import REJECTED
from support.k3s.machine import Machine
from support.k3s.membership import DUPLICATE, TOO_MANY
from support.k3s.server import MISMATCH, REMOVED
from support.talos.clock import Clock
from support.waiting import until


@pytest.fixture
async def first(cluster: Cluster) -> Machine:
    machine = cluster.first("mother")
    await machine.power_on()
    await until(lambda: machine.is_ready)
    return machine


SERVERS: list[tuple[dict[str, Any], str]] = [
    ({"cluster-cidr": "10.52.0.0/16"}, f"{MISMATCH}: cluster-cidr"),
    ({"disable": ["servicelb"]}, f"{MISMATCH}: disable-servicelb"),
    ({"token": "other"}, "server-bootstrap: 401"),
    ({"agent-token": "other"}, "config: 401"),
    ({"token": None}, "K3S_TOKEN is required"),
    ({"token": "K10abc::server:x"}, "invalid token CA hash length"),
    ({"server": "http://api.ainur.lab:6443"}, "only https://"),
    ({"server": "https://other.lab:6443"}, "failed to get CA certs"),
    ({"server": None}, "SQLite"),
    ({"node-name": "Upper"}, "invalid node name"),
]
AGENTS: list[tuple[dict[str, Any], str]] = [
    ({"token": "server-password-of-ainur"}, "config: 401"),
    ({"node-label": ["node-role.kubernetes.io/worker=true"]}, "unknown 'kubernetes.io'"),
    ({"node-taint": ["a=b"]}, "invalid taint effect"),
    ({"server": None}, "--server is required"),
    ({"cluster-init": True}, "Unknown flag --cluster-init"),
]


async def test_servers_and_agents_that_do_not_fit_say_why(cluster: Cluster, first: Machine) -> None:
    expected: dict[Machine, str] = {}
    for number, (more, words) in enumerate(SERVERS):
        machine = cluster.server(f"server-{number}")
        cluster.write(machine, **more)
        expected[machine] = words
    for number, (more, words) in enumerate(AGENTS):
        machine = cluster.agent(f"agent-{number}")
        cluster.write(machine, **more)
        expected[machine] = words
    cluster.site.names[API] = [first.address]
    for machine in expected:
        await machine.power_on()
    for machine, words in expected.items():
        await until(partial(machine.said, words))
    assert len(await etcd_of(first).members()) == 1


async def test_the_first_password_of_a_node_is_its_only_one_until_the_node_is_deleted(
    cluster: Cluster, first: Machine
) -> None:
    agent = cluster.agent("worker")
    async with agent:
        await until(lambda: agent.is_ready)
    agent.lose_disk()
    await agent.power_on()
    await until(lambda: agent.said(REJECTED))
    await delete_node(first, "worker")
    await until(lambda: agent.is_ready)


@pytest.mark.long
async def test_a_server_whose_disk_was_lost_joins_again_once_its_node_is_deleted(
    cluster: Cluster, first: Machine
) -> None:
    others = [cluster.server("one"), cluster.server("two")]
    for server in others:
        await server.power_on()
    await until(lambda: all(server.is_ready for server in others))
    lost = others[0]
    await lost.power_cut()
    lost.lose_disk()
    await lost.power_on()
    await until(lambda: lost.said(DUPLICATE))
    await delete_node(first, "one")
    await until(lambda: lost.is_ready)
    assert first.inits == 1
    assert len(await etcd_of(first).members()) == 3


async def test_a_learner_that_never_comes_keeps_the_others_out(cluster: Cluster, first: Machine) -> None:
    etcd = etcd_of(first)
    added = await etcd.ask("cluster/member/add", {"peerURLs": ["https://127.0.0.1:9"], "isLearner": True})
    server = cluster.server("one")
    await server.power_on()
    await until(lambda: server.said(TOO_MANY))
    await etcd.ask("cluster/member/remove", {"ID": added["member"]["ID"]})
    await until(lambda: server.is_ready)


@pytest.mark.long
async def test_a_server_that_is_removed_joins_again_at_its_next_start(
    cluster: Cluster, first: Machine
) -> None:
    server = cluster.server("one")
    await server.power_on()
    await until(lambda: server.is_ready)
    await delete_node(first, "one")
    await until(lambda: server.said(REMOVED))
    await server.power_off()
    await server.power_on()
    await until(lambda: server.is_ready)


async def test_a_server_token_that_is_another_one_does_not_open_what_etcd_has(
    cluster: Cluster, first: Machine
) -> None:
    await first.power_off()
    cluster.write(first, token="other")
    await first.power_on()
    await until(lambda: first.said("encrypted with different token"))


async def test_a_clock_before_1980_ends_k3s(cluster: Cluster) -> None:
    machine = cluster.first("mother")
    machine.clock = Clock(off=timedelta(days=-365 * 50))
    await machine.power_on()
    await until(lambda: machine.said("server time isn't set properly"))
    machine.clock.off = timedelta()
    await until(lambda: machine.is_ready)


async def test_without_a_majority_nothing_is_written(cluster: Cluster, first: Machine) -> None:
    server = cluster.server("one")
    await server.power_on()
    await until(lambda: server.is_ready)
    admin = as_admin(first)
    await server.power_cut()
    with pytest.raises(RequestError):
        await admin.ask("/api/v1/nodes/one", method="DELETE")


async def test_a_server_that_is_led_to_itself_does_not_join(cluster: Cluster, first: Machine) -> None:
    server = cluster.server("one")
    await server.power_on()
    await until(lambda: server.said("Adding one-"))
    await server.power_cut()
    server.lose_disk()
    cluster.site.names[API] = [server.address, first.address]
    await server.power_on()
    await until(lambda: server.said("no voting member is known"))
    cluster.site.is_probed = True
    await until(lambda: server.is_ready)
