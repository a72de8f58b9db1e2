"""What k3s does about a lost quorum, and with a snapshot: the stand-in does it with the real etcd."""

import pytest
from support.k3s.admin import as_admin, delete_node, etcd_of, ready_nodes, snapshot_of
from support.k3s.by_hand import API, Cluster
from support.k3s.fatal import FatalError, RequestError
from support.k3s.machine import Machine
from support.k3s.server import RESET_BEFORE
from support.waiting import until

SNAPSHOT = "/var/lib/rancher/k3s/server/db/snapshots/etcd-snapshot-mother-1"


async def running(*machines: Machine) -> None:
    for machine in machines:
        await machine.power_on()
    await until(lambda: all(machine.is_ready for machine in machines))


async def identity(machine: Machine) -> bytes:
    return await as_admin(machine).ask("/api/v1/namespaces/kube-system")


async def test_a_snapshot_brings_a_cluster_back_onto_an_empty_disk(cluster: Cluster) -> None:
    first, agent = cluster.first("mother"), cluster.agent("worker")
    await running(first, agent)
    before = await identity(first)
    saved = cluster.directory / "snapshot"
    await snapshot_of(first, saved)
    await first.power_off()
    first.lose_disk()
    cluster.lay_ca_files(first)
    place = first.root / SNAPSHOT.lstrip("/")
    place.parent.mkdir(parents=True)
    place.write_bytes(saved.read_bytes())
    await first.cluster_reset(SNAPSHOT)
    with pytest.raises(FatalError, match=RESET_BEFORE):
        await first.cluster_reset(SNAPSHOT)
    cluster.write(first, **{"cluster-init": None, "server": "https://nobody.lab:6443"})
    await first.power_on()
    await until(lambda: first.said("Node password rejected"))
    await delete_node(first, "mother")
    await until(lambda: first.is_ready)
    assert await identity(first) == before
    assert await ready_nodes(as_admin(first)) == {"mother", "worker"}
    assert first.inits == 1


@pytest.mark.parametrize(
    ("token", "content", "words"),
    [("other", None, "different token"), (None, b"no snapshot", "snapshot"), (None, b"", "does not exist")],
)
async def test_a_snapshot_is_opened_by_its_token_alone_and_a_damaged_one_not_at_all(
    cluster: Cluster, token: str | None, content: bytes | None, words: str
) -> None:
    first = cluster.first("mother")
    await running(first)
    place = first.root / SNAPSHOT.lstrip("/")
    await snapshot_of(first, place)
    await first.power_off()
    if content is not None:
        place.write_bytes(content) if content else place.unlink()
    if token:
        cluster.write(first, token=token)
    with pytest.raises(FatalError, match=words):
        await first.cluster_reset(SNAPSHOT)


@pytest.mark.long
async def test_the_last_server_left_becomes_the_only_member(cluster: Cluster) -> None:
    first, other = cluster.first("mother"), cluster.server("one")
    await running(first, other)
    await first.power_cut()
    with pytest.raises(RequestError):
        await as_admin(other).ask("/api/v1/nodes/mother", method="DELETE")
    await other.power_off()
    with pytest.raises(FatalError, match="while server URL is set"):
        await other.cluster_reset()
    cluster.write(other, server=None)
    await other.cluster_reset()
    cluster.write(other, server=f"https://{API}:6443")
    await running(other)
    assert [member.name for member in await etcd_of(other).members()] == [etcd_of(other).name]
    first.lose_disk()
    await delete_node(other, "mother")
    cluster.write(first, **{"cluster-init": None, "server": f"https://{other.address}:6443"})
    await running(first)
