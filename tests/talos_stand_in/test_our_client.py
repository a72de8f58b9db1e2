"""The daemon's own client and receivers, with the stand-in: from an empty machine to a cluster and its end."""

import hashlib
from contextlib import aclosing

import pytest
from support.talos.cluster import Cluster
from support.talos.machine import Machine
from support.talos_reports import HERE, receiving
from support.waiting import until

from iluvatar_pxe.errors import (
    TalosDeniedError,
    TalosExistsError,
    TalosIdentityError,
    TalosMaintenanceError,
    TalosRefusedError,
    TalosUnreachableError,
)
from iluvatar_pxe.layers.arda.api import client, resources
from iluvatar_pxe.layers.arda.api.client import TalosApi
from iluvatar_pxe.layers.arda.api.model import ApplyMode, Change
from iluvatar_pxe.layers.arda.api.tls import identify, is_maintenance
from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.events import Sequence, Stage
from iluvatar_pxe.machines.states import Role

BOTH = pytest.mark.parametrize("cluster", Contract, indirect=True)


async def in_maintenance(cluster: Cluster, role: Role = Role.CONTROLPLANE) -> Machine:
    if not cluster.reporting.event_sink:  # an empty configuration is none
        cluster.reporting = MachineFacts(role=Role.WORKER, event_sink=f"{HERE}:9")
    machine = cluster.machine(1, role)
    cluster.served[machine.hardware.mac] = cluster.partial()
    await machine.power_on()
    await until(lambda: machine.boot and machine.boot.is_in_maintenance)
    return machine


def waits_for_a_founder(machine: Machine) -> bool:
    return machine.service("etcd") == "Preparing" and machine.service("apid") == "Running"


@BOTH
async def test_an_empty_machine_becomes_a_founder_of_etcd(cluster: Cluster) -> None:
    machine = await in_maintenance(cluster)
    own = cluster.credentials()
    assert await is_maintenance(machine.address)
    with pytest.raises(TalosMaintenanceError):
        async with TalosApi.connect(machine.address, own) as api:
            await api.version()
    async with TalosApi.connect(machine.address, None) as api:
        (disk,) = await api.state.list(resources.DISKS)
        assert disk.serial == "SERIAL1"
        assert await api.state.get(resources.SYSTEM_DISK) is None
        assert (await api.state.get(resources.SYSTEM_INFORMATION)) is not None
        assert {one.permanent_mac for one in await api.state.list(resources.LINKS) if one.is_physical} == {
            machine.hardware.mac
        }
        with pytest.raises(TalosDeniedError):
            await api.reboot()
        with pytest.raises(TalosRefusedError):
            await api.apply("machine: [", ApplyMode.AUTO)
        whole = cluster.configuration(Role.CONTROLPLANE, "controlplane-1", disk.serial)
        await api.apply(whole, ApplyMode.AUTO)
    await until(lambda: waits_for_a_founder(machine))
    assert (await identify(machine.address)).is_of(own.ca)
    async with TalosApi.connect(machine.address, own, name="cp-1") as api:
        assert {one.id: one.state for one in await api.services()}["etcd"] == "Preparing"
        assert await api.state.get(resources.REBOOT_REQUEST) is None
        await api.bootstrap()
        await until(lambda: machine.is_ready)
        with pytest.raises(TalosExistsError, match="cp-1"):
            await api.bootstrap()
        (member,) = await api.etcd.members()
        assert member.hostname == "controlplane-1"
        assert (await api.etcd.status()).leader == member.id
        assert await api.etcd.alarms() == ()
        status = await api.state.get(resources.MACHINE_STATUS)
        assert status is not None
        assert status.is_joined


async def test_a_snapshot_is_taken_with_the_role_for_it_and_nothing_else(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await machine.power_on()
    await until(lambda: waits_for_a_founder(machine))
    async with TalosApi.connect(machine.address, cluster.credentials()) as api:
        await api.bootstrap()
    await until(lambda: machine.is_ready)
    async with TalosApi.connect(machine.address, cluster.credentials(ApiRole.ETCD_BACKUP)) as api:
        async with aclosing(api.etcd.snapshot()) as pieces:
            snapshot = b"".join([piece async for piece in pieces])
        assert hashlib.sha256(snapshot[:-32]).digest() == snapshot[-32:]
        with pytest.raises(TalosDeniedError):
            await api.reboot()


async def test_a_watch_sees_a_machine_join_and_a_power_cut_ends_it(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await machine.power_on()
    await until(lambda: waits_for_a_founder(machine))
    async with (
        TalosApi.connect(machine.address, cluster.credentials()) as api,
        aclosing(api.state.watch(resources.MACHINE_STATUS)) as told,
    ):
        assert (await anext(told)).change is Change.CREATED
        assert (await anext(told)).change is Change.BOOTSTRAPPED
        await api.bootstrap()
        while not ((status := (await anext(told)).value) and status.is_joined):
            pass
        await machine.power_cut()
        with pytest.raises(TalosUnreachableError):
            [one async for one in told]


async def test_an_installed_machine_is_not_taken_for_one_in_maintenance(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await machine.power_on()
    await until(lambda: waits_for_a_founder(machine))
    async with TalosApi.connect(machine.address, None) as api:
        with pytest.raises(TalosIdentityError, match="not in maintenance mode"):
            await api.version()


async def test_a_machine_that_hangs_is_given_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_SECONDS", 0.5)
    machine = await in_maintenance(cluster)
    machine.answers.clear()
    async with TalosApi.connect(machine.address, None) as api:
        with pytest.raises(TalosUnreachableError):
            await api.version()


async def test_what_the_stand_in_reports_arrives_once(cluster: Cluster) -> None:
    async with receiving() as got:
        cluster.reporting = MachineFacts(
            role=Role.WORKER,
            event_sink=f"{HERE}:{got.event_port}",
            kernel_log=f"tcp://{HERE}:{got.log_port}",
        )
        machine = await in_maintenance(cluster)
        boot = machine.boot
        assert boot is not None
        await until(lambda: boot.events.delivered.is_set() and len(got.lines) == len(boot.log.lines))
        events, lines = list(got.events), list(got.lines)
        boot.events.replay()
        boot.log.replay()
        cluster.served[machine.hardware.mac] = cluster.configuration(
            Role.CONTROLPLANE, "controlplane-1", "SERIAL1"
        )
        await machine.power_cut()
        await machine.power_on()
        await until(lambda: any("etcd is waiting" in message for message in got.messages))
        assert got.events[: len(events)] == events
        assert got.lines[: len(lines)] == lines
        assert len({event.id for _, event in got.events}) == len(got.events)
        assert {str(address) for address, _ in got.events} == {machine.address}
        assert isinstance(got.bodies[0], Sequence)
        await machine.power_cut()
        assert {"maintenance"} <= {body.stage for body in got.bodies if isinstance(body, Stage)}
