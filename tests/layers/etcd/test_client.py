"""The daemon's client of etcd, against the real etcd of a stand-in for k3s: its certificates are those of the cluster."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.ainur import BEGIN, bundle_of
from support.k3s.machine import Machine
from support.k3s.rendered import RenderedCluster
from support.ports import free_port
from support.secrets_of import k3s_bundle_of
from support.waiting import until

from iluvatar_pxe.errors import EtcdError
from iluvatar_pxe.layers.ainur.credentials import administrator_credentials, etcd_credentials
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.etcd.client import EtcdApi

HOUR = timedelta(hours=1)


def credentials(name: str = "ainur") -> Credentials:
    return etcd_credentials(k3s_bundle_of(name, BEGIN), HOUR, datetime.now(UTC), secrets.token_bytes)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RenderedCluster]:
    cluster = RenderedCluster(tmp_path)
    server = cluster.machine("ainur-01", K3sPart.INIT)
    async with server:
        await until(lambda: server.is_ready)
        yield cluster
    await cluster.end()


@pytest.fixture
def server(cluster: RenderedCluster) -> Machine:
    return cluster.machines["ainur-01"]


async def test_a_member_tells_how_it_is_and_gives_a_whole_snapshot(server: Machine) -> None:
    async with EtcdApi.connect(server.address, credentials(), name="ainur-01") as api:
        status = await api.status()
        assert status.leader == status.member_id != 0
        assert (status.is_learner, status.errors) == (False, ())
        assert await api.alarms() == ()
        snapshot = b"".join([piece async for piece in api.snapshot()])
    assert len(snapshot) % 512 == 32
    assert b"/registry/minions/ainur-01" in snapshot


async def test_nobody_else_is_asked_and_nobody_else_is_let_in(
    cluster: RenderedCluster, server: Machine
) -> None:
    mine, other = credentials(), credentials("other")
    async with EtcdApi.connect(server.address, other, name="ainur-01") as api:
        with pytest.raises(EtcdError, match=r"ainur-01 \(127.*certificate of its etcd is not accepted"):
            await api.status()
    stranger = Credentials(ca=mine.ca, crt=other.crt, key=other.key)
    now = datetime.now(UTC)
    admin = administrator_credentials(bundle_of(), HOUR, now, secrets.token_bytes)
    agent = cluster.machine("ainur-04", K3sPart.AGENT)
    await agent.power_on()
    await until(lambda: agent.is_ready)
    kubelet = agent.root / "var/lib/rancher/k3s/agent/client-kubelet.crt"
    of_kubelet = Credentials(ca=mine.ca, crt=kubelet.read_text(), key=kubelet.with_suffix(".key").read_text())
    for wrong in (stranger, Credentials(ca=mine.ca, crt=admin.crt, key=admin.key), of_kubelet):
        async with EtcdApi.connect(server.address, wrong, name="ainur-01") as api:
            with pytest.raises(EtcdError, match=r"ainur-01 \(127.*; it is tried again"):
                await api.status()


async def test_what_does_not_answer_is_named() -> None:
    async with EtcdApi.connect("127.0.0.1", credentials(), name="ainur-01", port=free_port()) as api:
        with pytest.raises(EtcdError, match=r"ainur-01 \(127.0.0.1\): etcd: Status: .*Connect call failed"):
            await api.status()


async def test_credentials_that_cannot_be_used_are_told() -> None:
    with pytest.raises(EtcdError, match="check the cluster's secrets"):
        async with EtcdApi.connect("127.0.0.1", Credentials(ca="", crt="", key=""), name="a"):
            pass
