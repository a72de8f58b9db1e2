"""The stand-in reports as Talos does: events in order until acknowledged, the kernel's log, and both once more."""

from collections.abc import AsyncIterator

import pytest
from support.talos.boot import Boot
from support.talos.cluster import Cluster
from support.talos.listener import Listener, listening
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as events_pb2
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest
from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.machines.states import Role

READY = "[talos] machine is running and ready\n"


@pytest.fixture
async def listener(cluster: Cluster) -> AsyncIterator[Listener]:
    async with listening() as listener:
        cluster.reporting = MachineFacts(
            role=Role.WORKER, event_sink=listener.sink, kernel_log=listener.kernel
        )
        yield listener


async def maintained(cluster: Cluster) -> tuple[Machine, Boot]:
    """Return a machine in maintenance, and its boot."""
    machine = cluster.machine(1, Role.CONTROLPLANE)
    cluster.served[machine.hardware.mac] = cluster.partial()
    await machine.power_on()
    boot = await until(lambda: machine.boot and machine.boot.is_in_maintenance and machine.boot)
    assert isinstance(boot, Boot)
    return machine, boot


async def test_events_come_in_order_from_the_machines_own_address(
    cluster: Cluster, listener: Listener
) -> None:
    machine, _ = await maintained(cluster)
    await until(lambda: "type.googleapis.com/machine.TaskEvent" in listener.kinds)
    assert listener.kinds[0] == "type.googleapis.com/machine.SequenceEvent"
    assert {source for source, _ in listener.events} == {machine.address}
    ids = [request.id for _, request in listener.events]
    assert len(set(ids)) == len(ids)
    assert all(len(each) == 20 for each in ids)
    stages = [
        _stage(request) for _, request in listener.events if request.data.type_url.endswith("StatusEvent")
    ]
    assert stages == [events_pb2.MachineStatusEvent.MAINTENANCE]


async def test_an_event_that_is_not_acknowledged_is_sent_again(cluster: Cluster, listener: Listener) -> None:
    listener.refuses = True
    await maintained(cluster)
    await until(lambda: len(listener.events) >= 3)
    assert len({request.id for _, request in listener.events}) == 1
    listener.refuses = False
    await until(lambda: "type.googleapis.com/machine.TaskEvent" in listener.kinds)


async def test_a_replay_sends_the_same_ids_and_lines_once_more(cluster: Cluster, listener: Listener) -> None:
    _, boot = await maintained(cluster)
    await until(lambda: boot.events.delivered.is_set() and len(listener.lines) == len(boot.log.lines))
    events, lines = list(listener.events), list(listener.lines)
    boot.events.replay()
    boot.log.replay()
    await until(lambda: (len(listener.events), len(listener.lines)) == (2 * len(events), 2 * len(lines)))
    assert [request for _, request in listener.events] == [request for _, request in events] * 2
    assert listener.lines == lines * 2


async def test_the_kernel_log_has_talos_keys_and_its_last_line(cluster: Cluster, listener: Listener) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await machine.power_on()
    await until(lambda: any("etcd is waiting to join" in line["msg"] for line in listener.lines))
    keys = {"clock", "facility", "msg", "priority", "seq", "talos-level", "talos-time"}
    assert {frozenset(line) for line in listener.lines} == {frozenset(keys)}
    assert any("installing Talos" in line["msg"] for line in listener.lines)
    second = machine.boots[-1]
    assert [line["seq"] for line in listener.lines][-len(second.log.lines) :] == list(
        range(len(second.log.lines))
    )


async def test_what_cannot_be_loaded_is_an_event_and_asked_for_again(
    cluster: Cluster, listener: Listener
) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    cluster.served[machine.hardware.mac] = "machine: [unclosed"
    await machine.power_on()
    boot = await until(lambda: machine.boot)
    assert boot is not None
    await until(lambda: boot.log.text.count("config loading failed") == 3)
    cluster.served[machine.hardware.mac] = cluster.partial()
    await until(lambda: listener.kinds.count("type.googleapis.com/machine.ConfigLoadErrorEvent") >= 3)


def _stage(request: EventRequest) -> events_pb2.MachineStatusEvent.MachineStage:
    status = events_pb2.MachineStatusEvent()
    request.data.Unpack(status)
    return status.stage
