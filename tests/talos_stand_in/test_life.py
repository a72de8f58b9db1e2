"""The stand-in boots, installs, founds a real etcd, joins and leaves it, and forgets what Talos forgets."""

import asyncio
import gc
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from support.talos.after import After
from support.talos.api import PORT
from support.talos.client import connected, tls_context
from support.talos.clock import Clock
from support.talos.cluster import SPEED, Cluster, new_bundle
from support.talos.machine import Machine
from support.waiting import PATIENCE, until

from iluvatar_pxe.layers.arda.api.protos import machine_pb2
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.machines.states import Role

Apply = machine_pb2.ApplyConfigurationRequest
BOTH = pytest.mark.parametrize("cluster", Contract, indirect=True)


@BOTH
async def test_a_control_plane_installs_reboots_and_waits_to_be_founded(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await wait_for_founding(machine)
    assert machine.hardware.system_disk is machine.hardware.disks[0]
    assert len(machine.boots) == 2
    assert machine.failures == []


async def test_the_others_join_the_founder_and_a_worker_becomes_ready(cluster: Cluster) -> None:
    machines = [cluster.machine(number, Role.CONTROLPLANE) for number in (1, 2, 3)]
    worker = cluster.machine(4, Role.WORKER)
    for machine in machines:
        await wait_for_founding(machine)
    await worker.power_on()
    assert not any(machine.is_ready for machine in machines)
    await bootstrap(cluster, machines[1])
    await until(lambda: all(machine.is_ready for machine in [*machines, worker]))
    async with connected(machines[0], cluster.credentials()) as client:
        members = await client.members()
    assert {member.hostname for member in members} == {f"controlplane-{number}" for number in (1, 2, 3)}
    assert not any(member.is_learner for member in members)


async def test_a_power_cut_before_etcd_writes_makes_the_founding_forgotten(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await wait_for_founding(machine)
    machine.may_write_etcd.clear()
    await bootstrap(cluster, machine)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await until(lambda: machine.service("etcd") == "Running")
    await machine.power_cut()
    machine.may_write_etcd.set()

    await wait_for_founding(machine)
    async with connected(machine, cluster.credentials()) as client:
        with pytest.raises(GRPCError) as refused:
            await client.members()
        assert refused.value.status is Status.UNKNOWN
        await client.bootstrap()
    await until(lambda: machine.is_ready)


async def test_a_power_cut_after_it_is_survived(cluster: Cluster) -> None:
    machine = await founded(cluster)
    async with connected(machine, cluster.credentials()) as client:
        before = await client.members()
    await machine.power_cut()
    await machine.power_on()
    await until(lambda: machine.is_ready)
    async with connected(machine, cluster.credentials()) as client:
        assert await client.members() == before
        with pytest.raises(GRPCError) as refused:
            await client.bootstrap()
    assert refused.value.status is Status.ALREADY_EXISTS


async def test_a_power_cut_breaks_a_connection_on_which_nothing_was_asked_yet(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await wait_for_founding(machine)
    reader, writer = await asyncio.open_connection(
        machine.address, PORT, ssl=tls_context(cluster.credentials()), server_hostname=machine.address
    )
    assert await reader.readexactly(9)  # HTTP/2's first frame: the handshake is over
    await machine.power_cut()
    with suppress(ConnectionResetError):
        async with asyncio.timeout(5):
            await reader.read()
    writer.transport.abort()


async def test_a_power_cut_in_the_middle_of_a_restart_is_one(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    for steps in range(12):
        await machine.power_on()
        boot = await until(lambda: machine.boot)
        assert boot
        await asyncio.sleep(0)
        boot.end(After.REBOOT)
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await machine.power_cut()
        assert machine.boot is None


async def test_a_power_cut_leaves_no_connection_to_the_garbage_collector(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.WORKER, clock=Clock(10 * SPEED))
    machine.firmware = without_configuration
    for steps in range(10):
        await machine.power_on()
        await until(lambda: machine.boot and machine.boot.is_in_maintenance)
        cut = asyncio.create_task(machine.power_cut())
        for _ in range(steps):
            await asyncio.sleep(0)
        with socket.socket() as client:
            client.connect_ex((machine.address, PORT))
            await cut
        gc.collect()  # a connection that is left warns here, which fails the test


async def without_configuration(machine: Machine) -> str:  # noqa: ARG001  # a firmware gets it
    return "talos.platform=metal"


async def test_a_wrong_clock_keeps_etcd_from_being_founded(cluster: Cluster) -> None:
    clock = Clock(SPEED)
    machine = cluster.machine(1, Role.CONTROLPLANE, clock=clock)
    await wait_for_founding(machine)
    clock.off = timedelta(minutes=5)
    async with connected(machine, cluster.credentials()) as client:
        with pytest.raises(GRPCError, match="time is not in sync") as refused:
            await client.bootstrap()
        assert refused.value.status is Status.FAILED_PRECONDITION
        clock.off = timedelta()
        await client.bootstrap()
    await until(lambda: machine.is_ready)


async def test_the_last_member_cannot_leave_so_its_reset_fails(cluster: Cluster) -> None:
    machine = await founded(cluster)
    async with connected(machine, cluster.credentials()) as client:
        await client.reset()
    boot = machine.boot
    await until(lambda: boot and "reset failed" in boot.log.text)
    assert machine.is_ready
    assert machine.hardware.system_disk is not None


@pytest.mark.long
async def test_a_reset_leaves_etcd_wipes_the_disk_and_boots_from_the_network(cluster: Cluster) -> None:
    first, second = cluster.machine(1, Role.CONTROLPLANE), cluster.machine(2, Role.CONTROLPLANE)
    await wait_for_founding(first)
    await bootstrap(cluster, first)
    await second.power_on()
    await until(lambda: first.is_ready and second.is_ready)
    cluster.served[second.hardware.mac] = ""
    async with connected(second, cluster.credentials()) as client:
        await client.reset()
    await until(lambda: second.hardware.system_disk is None)
    async with connected(first, cluster.credentials()) as client:
        assert [member.hostname for member in await client.members()] == ["controlplane-1"]
    await until(lambda: second.boot and "config not found" in second.boot.log.text)


@pytest.mark.long
async def test_a_machine_that_comes_back_empty_removes_its_old_member_itself(cluster: Cluster) -> None:
    first, second = cluster.machine(1, Role.CONTROLPLANE), cluster.machine(2, Role.CONTROLPLANE)
    third = cluster.machine(3, Role.CONTROLPLANE)
    for machine in (first, second, third):
        await wait_for_founding(machine)
    await bootstrap(cluster, first)
    await until(lambda: first.is_ready and second.is_ready and third.is_ready)
    await third.power_cut()
    third.wipe(third.hardware.disks[0])
    await third.power_on()
    await until(lambda: third.is_ready)
    async with connected(first, cluster.credentials()) as client:
        assert len(await client.members()) == 3


async def test_the_wipe_argument_wipes_and_reboots_also_with_nothing_to_wipe(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    machine.install(machine.hardware.disks[0], "", machine.booted_version)

    async def firmware(_: Machine) -> str:
        return "talos.platform=metal talos.experimental.wipe=system"

    machine.firmware = firmware
    await machine.power_on()
    await until(lambda: len(machine.boots) == 3)
    assert machine.hardware.system_disk is None
    assert ["wiping" in boot.log.text for boot in machine.boots[:2]] == [True, False]


async def test_wiping_partitions_keeps_what_is_not_named(cluster: Cluster) -> None:
    machine = await founded(cluster)
    partition = machine_pb2.ResetPartitionSpec(label="EPHEMERAL", wipe=True)
    request = machine_pb2.ResetRequest(reboot=True, system_partitions_to_wipe=[partition])
    async with connected(machine, cluster.credentials()) as client:
        await client.machine.Reset(request)
    await until(lambda: len(machine.boots) == 3 and machine.service("etcd") == "Preparing")
    assert machine.hardware.system_disk is not None


@pytest.mark.long
async def test_leadership_and_membership_are_etcds_own(cluster: Cluster) -> None:
    first, second = await founded(cluster), cluster.machine(2, Role.CONTROLPLANE)
    async with connected(first, cluster.credentials()) as client:
        api = client.machine
        with pytest.raises(GRPCError, match="only one member"):
            await api.EtcdForfeitLeadership(machine_pb2.EtcdForfeitLeadershipRequest())
        await second.power_on()
        await until(lambda: first.is_ready and second.is_ready)
        (alarms,) = (await api.EtcdAlarmList(Empty())).messages
        assert not alarms.member_alarms
        (forfeited,) = (await api.EtcdForfeitLeadership(machine_pb2.EtcdForfeitLeadershipRequest())).messages
        assert forfeited.member == "controlplane-2"
        (status,) = (await api.EtcdStatus(Empty())).messages
        by_name = {member.hostname: member.id for member in await client.members()}
        assert status.member_status.leader == by_name["controlplane-2"]
        with pytest.raises(GRPCError) as refused:
            await api.EtcdRemoveMemberByID(machine_pb2.EtcdRemoveMemberByIDRequest(member_id=1))
        assert refused.value.status is Status.NOT_FOUND


async def test_a_worker_has_no_etcd_and_no_api_before_a_control_plane_signs(cluster: Cluster) -> None:
    worker = cluster.machine(2, Role.WORKER)
    await worker.power_on()
    await until(lambda: worker.service("kubelet") == "Running")
    assert worker.service("apid") == "Waiting"
    await wait_for_founding(cluster.machine(1, Role.CONTROLPLANE))
    await until(lambda: worker.service("apid") == "Running")
    async with connected(worker, cluster.credentials()) as client:
        with pytest.raises(GRPCError) as refused:
            await client.members()
    assert refused.value.status is Status.UNIMPLEMENTED


async def test_somebodys_disk_that_is_overwritten_is_a_failure_of_the_test(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    machine.hardware.disks[0].holds = ("ext4",)
    await wait_for_founding(machine)
    assert machine.failures == ["/dev/sda held ext4 and was overwritten"]


async def test_a_configuration_that_is_not_valid_is_asked_for_again_and_installs_nothing(
    cluster: Cluster,
) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    cluster.served[machine.hardware.mac] += "---\napiVersion: v1alpha1\nkind: Unheard\n"
    await machine.power_on()
    await until(lambda: machine.boot and machine.boot.log.text.count("config loading failed") == 2)
    assert machine.hardware.system_disk is None


@BOTH
async def test_without_a_disk_that_matches_1_13_reboots_and_1_14_waits(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    machine.hardware.disks[0].serial = machine.hardware.disks[0].wwid = "ANOTHER"
    await machine.power_on()
    if cluster.contract is Contract.V1_13:
        await until(lambda: len(machine.boots) == 3)
        assert "no disk matched" in machine.boots[0].log.text
        return
    await until(lambda: machine.boot and machine.boot.install_phase == "pending")
    (boot,) = machine.boots
    assert "no disk matched" in boot.install_error
    assert "no disk" not in boot.log.text


async def test_old_talos_on_the_disk_wins_over_the_network(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    foreign = Cluster(cluster.directory, contract=cluster.contract, bundle=new_bundle(2))
    text = foreign.configuration(Role.CONTROLPLANE, "old", "SERIAL1")
    machine.install(machine.hardware.disks[0], text, machine.booted_version)
    await wait_for_founding(machine)
    async with connected(machine, cluster.credentials()) as client:
        with pytest.raises(OSError, match="certificate verify failed"):
            await client.version()
    async with connected(machine, foreign.credentials()) as client:
        assert await client.version() == machine.version


async def test_a_certificate_of_another_ca_is_refused_at_the_first_answer(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await wait_for_founding(machine)
    foreign = Cluster(cluster.directory, bundle=new_bundle(2)).credentials()
    ours = cluster.credentials()
    mixed = type(ours)(ca=ours.ca, crt=foreign.crt, key=foreign.key)
    async with connected(machine, mixed) as client:
        with pytest.raises((StreamTerminatedError, OSError)):
            await client.version()


async def test_an_api_that_hangs_answers_nothing(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await wait_for_founding(machine)
    machine.answers.clear()
    async with connected(machine, cluster.credentials()) as client:
        asked = asyncio.ensure_future(client.version())
        done, _ = await asyncio.wait([asked], timeout=0.3)
        assert not done
        machine.answers.set()
        assert await asked == machine.version


async def test_1_13_applies_live_fields_at_once_and_others_only_staged(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, contract=Contract.V1_13)
    async with cluster.serving():
        machine = await founded(cluster)
        text = machine.boot.configuration.text if machine.boot and machine.boot.configuration else ""
        live = text.replace("debug: false", "debug: true")
        other = text.replace("diskQuotaSupport: true", "diskQuotaSupport: false")
        async with connected(machine, cluster.credentials()) as client:
            assert (await client.apply(live)).mode == Apply.NO_REBOOT
            with pytest.raises(GRPCError, match="can't be applied in immediate mode") as refused:
                await client.apply(other)
            assert refused.value.status is Status.INVALID_ARGUMENT
            assert (await client.apply(other, Apply.STAGED)).mode == Apply.STAGED
        assert machine.boot is not None
        assert machine.boot.configuration is not None
        assert machine.boot.configuration.text == live
        await machine.power_cut()
        await machine.power_on()
        await until(lambda: machine.boot and machine.boot.configuration)
        assert machine.boots[-1].configuration is not None
        assert machine.boots[-1].configuration.text == other


async def test_1_14_never_reboots_for_a_configuration(cluster: Cluster) -> None:
    machine = await founded(cluster)
    text = machine.boot.configuration.text if machine.boot and machine.boot.configuration else ""
    async with connected(machine, cluster.credentials()) as client:
        assert (await client.apply(text, Apply.AUTO)).mode == Apply.NO_REBOOT
        with pytest.raises(GRPCError) as refused:
            await client.apply(text, Apply.REBOOT)
        assert refused.value.status is Status.UNIMPLEMENTED
        with pytest.raises(GRPCError, match="v1alpha1") as refused:
            await client.apply("apiVersion: v1alpha1\nkind: EventSinkConfig\nendpoint: a:1\n")
        assert refused.value.status is Status.INVALID_ARGUMENT


async def wait_for_founding(machine: Machine) -> None:
    """Switch on, and wait until a control plane only lacks an etcd."""
    await machine.power_on()
    await until(lambda: machine.service("etcd") == "Preparing" and machine.service("apid") == "Running")


async def bootstrap(cluster: Cluster, machine: Machine) -> None:
    async with connected(machine, cluster.credentials()) as client:
        await client.bootstrap()


async def founded(cluster: Cluster) -> Machine:
    """Return a single control plane that is ready."""
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await wait_for_founding(machine)
    await bootstrap(cluster, machine)
    await until(lambda: machine.is_ready)
    return machine
