"""Stand-ins for k3s form a cluster by the documented rules: one init, joins by token and CA, one learner at a time."""

import asyncio
import shutil

import pytest
from support.k3s.access import access
from support.k3s.admin import as_admin, etcd_of, ready_nodes
from support.k3s.by_hand import API, Cluster
from support.k3s.fatal import RequestError
from support.k3s.tokens import Token
from support.tls import run
from support.waiting import until


@pytest.mark.long
async def test_servers_and_agents_join_at_once(cluster: Cluster) -> None:
    first = cluster.first("mother")
    others = [cluster.server("one"), cluster.server("two"), cluster.agent("worker")]
    for machine in [*others, first]:
        await machine.power_on()
    await until(lambda: all(machine.is_ready for machine in cluster.machines.values()))
    admin = as_admin(first)
    assert await ready_nodes(admin) == {"mother", "one", "two", "worker"}
    assert sum(machine.inits for machine in cluster.machines.values()) == 1
    members = await etcd_of(first).members()
    assert {member.name.rpartition("-")[0] for member in members if not member.is_learner} == {
        "mother",
        "one",
        "two",
    }


async def test_a_restart_makes_no_second_cluster_and_a_lost_disk_does(cluster: Cluster) -> None:
    first = cluster.first("mother")
    async with first:
        await until(lambda: first.is_ready)
    await first.power_on()
    await until(lambda: first.is_ready)
    assert first.inits == 1
    await first.power_off()
    first.lose_disk()
    cluster.lay_ca_files(first)
    await first.power_on()
    await until(lambda: first.is_ready)
    assert first.inits == 2


async def test_what_a_server_answers_depends_on_who_asks(cluster: Cluster) -> None:
    first = cluster.first("mother")
    await first.power_on()
    await until(lambda: first.is_ready)

    async def status(path: str, token: str = "", user: str = "") -> int:
        parsed = Token.parse(token or cluster.agent_token)
        asked = await access(
            cluster.site, f"https://{API}:6443", parsed, user, first.root, first.journal.append, []
        )
        try:
            await asked.ask(path)
        except RequestError as error:
            return error.status
        return 200

    agent, server = cluster.agent_token, cluster.server_token
    assert await status("/ping") == await status("/cacerts") == 200
    assert await status("/v1-k3s/readyz", agent, "node") == 200
    assert await status("/v1-k3s/readyz") == 403
    assert await status("/v1-k3s/readyz", server, "node") == 401
    assert await status("/v1-k3s/server-bootstrap", agent, "node") == 403
    assert await status("/v1-k3s/server-bootstrap", server, "server") == 200
    assert await status("/readyz") == await status("/api/v1/nodes", server, "server") == 401
    admin = as_admin(first)
    assert await admin.ask("/readyz") == b"ok"
    with pytest.raises(RequestError, match="404"):
        await admin.ask("/apis/apps/v1/deployments")


async def test_a_server_of_another_cluster_is_refused_by_the_hash_of_its_ca(cluster: Cluster) -> None:
    first = cluster.first("mother")
    await first.power_on()
    other = Cluster(cluster.directory, "other", cluster.site)
    strangers = [other.server("one"), other.agent("worker")]
    cluster.site.names[API] = [first.address]
    try:
        for stranger in strangers:
            await stranger.power_on()
        words = "token CA hash does not match the Cluster CA certificate hash"
        await until(lambda: all(stranger.said(words) for stranger in strangers))
    finally:
        await other.end()


async def test_a_ca_that_the_operating_system_trusts_is_not_compared(cluster: Cluster) -> None:
    first = cluster.first("mother")
    await first.power_on()
    await until(lambda: first.is_ready)
    agent = cluster.agent("worker", token=f"K10{'0' * 64}::node:agent-password-of-ainur")
    store = agent.root / "etc/ssl/certs/ca-certificates.crt"
    store.parent.mkdir(parents=True)
    store.write_bytes((first.root / "var/lib/rancher/k3s/server/tls/server-ca.crt").read_bytes())
    await agent.power_on()
    await until(lambda: agent.is_ready)
    assert agent.said("Token CA hash will not be validated")


async def test_a_lone_missing_file_is_made_and_mixes(cluster: Cluster) -> None:
    first = cluster.first("mother")
    (first.root / "var/lib/rancher/k3s/server/tls/client-ca.key").unlink()
    await first.power_on()
    await until(lambda: first.is_ready)
    assert first.said("generated client-ca")
    (token,) = (first.root / "var/lib/rancher/k3s/server/token").read_text().split("\n")[:1]
    assert token == cluster.server_token


async def test_an_agent_finds_servers_that_it_has_learned_without_the_registration_name(
    cluster: Cluster,
) -> None:
    first, agent = cluster.first("mother"), cluster.agent("worker")
    await first.power_on()
    async with agent:
        await until(lambda: agent.is_ready)
    cluster.site.names.clear()
    await agent.power_on()
    await until(lambda: agent.is_ready)


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_kubectl_reads_and_deletes_nodes(cluster: Cluster) -> None:
    first, agent = cluster.first("mother"), cluster.agent("worker")
    for machine in (first, agent):
        await machine.power_on()
    await until(lambda: first.is_ready and agent.is_ready)
    as_admin(first)
    tls = first.root / "var/lib/rancher/k3s/server/tls"
    files = (f"--client-certificate={first.root / 'admin'}", f"--client-key={first.root / 'admin'}")
    server = (f"--server=https://{first.address}:6443", f"--certificate-authority={tls / 'server-ca.crt'}")
    kubectl = ("kubectl", "--kubeconfig=/dev/null", f"--cache-dir={cluster.directory}", *server, *files)

    async def said(*arguments: str) -> str:
        ended = await asyncio.to_thread(run, *kubectl, *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert (await said("get", "nodes", "-o", "name")).split() == ["node/mother", "node/worker"]
    await said("delete", "node", "worker")
    await said("annotate", "node", "mother", "lab=yes")
    assert (await said("get", "nodes", "-o", "jsonpath={.items[*].metadata.annotations.lab}")) == "yes"
    assert await ready_nodes(as_admin(first)) == {"mother"}
