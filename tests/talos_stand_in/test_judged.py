"""Talos' own client takes a stand-in for a Talos machine, and Talos' own library decides what the stand-in takes."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest
import yaml
from support.judge import Judge, Refused
from support.talos.cluster import Cluster
from support.talos.machine import Machine
from support.talos.resources import types_of
from support.waiting import until

from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.machines.states import Role

pytestmark = pytest.mark.parametrize("cluster", Contract, indirect=True)


@pytest.fixture
async def waiting(cluster: Cluster) -> Machine:
    """Return a machine in maintenance."""
    machine = cluster.machine(1, Role.CONTROLPLANE)
    cluster.served[machine.hardware.mac] = (
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: x\nurl: tcp://127.0.0.1:9\n"
    )
    await machine.power_on()
    await until(lambda: machine.boot and machine.boot.is_in_maintenance and machine.boot.is_ready)
    return machine


@pytest.fixture
async def founded(cluster: Cluster, judge: Judge) -> Machine:
    """Return a control plane that Talos' own client has bootstrapped."""
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await machine.power_on()
    await until(lambda: machine.service("etcd") == "Preparing" and machine.service("apid") == "Running")
    await ask(judge, "bootstrap", machine, cluster.talosconfig())
    await until(lambda: machine.is_ready)
    return machine


async def ask(judge: Judge, method: str, machine: Machine, talosconfig: str = "", **arguments: Any) -> Any:
    return await asyncio.to_thread(judge.call, method, machine.address, talosconfig, **arguments)


async def test_maintenance_answers_reads_to_everybody(judge: Judge, waiting: Machine) -> None:
    said = await ask(judge, "version", waiting)
    assert said["messages"][0]["version"]["tag"] == waiting.version
    disks = await ask(judge, "disks", waiting)
    assert disks["messages"][0]["disks"][0]["serial"] == "SERIAL1"
    with pytest.raises(Refused, match="PermissionDenied"):
        await ask(judge, "bootstrap", waiting)
    with pytest.raises(Refused, match="PermissionDenied"):
        await ask(judge, "reset", waiting)


async def test_every_resource_can_be_read_with_its_yaml(
    founded: Machine, judge: Judge, cluster: Cluster
) -> None:
    assert founded.boot is not None
    spaces = {"hardware", "runtime", "network", "config", "k8s", "etcd", "cluster"}
    found: dict[tuple[str, str], str] = {}
    for kind in sorted(types_of(founded.boot)):
        for space in spaces:
            listed = await ask(judge, "list", founded, cluster.talosconfig(), namespace=space, type=kind)
            found |= {(kind, item["id"]): item["spec"] for item in listed["items"]}
    status = yaml.safe_load(found["MachineStatuses.runtime.talos.dev", "machine"])
    assert status == {"stage": "running", "status": {"ready": True, "unmetConditions": []}}
    assert yaml.safe_load(found["MachineConfigs.config.talos.dev", "v1alpha1"]).startswith(
        "version: v1alpha1"
    )


async def test_a_configuration_is_refused_for_the_reasons_of_talos(
    judge: Judge, waiting: Machine, cluster: Cluster
) -> None:
    with pytest.raises(Refused, match="unknown keys found during decoding"):
        await ask(judge, "apply", waiting, config="machine: {type: worker}\ncluster: {}\nunheard: of\n")
    good = cluster.configuration(Role.CONTROLPLANE, "cp-1", "SERIAL1")
    await ask(judge, "apply", waiting, config=good)
    await until(lambda: waiting.hardware.system_disk and waiting.boot and waiting.boot.is_installed)


async def test_who_has_no_right_is_refused(judge: Judge, founded: Machine, cluster: Cluster) -> None:
    reader, backup = cluster.talosconfig(ApiRole.READER), cluster.talosconfig(ApiRole.ETCD_BACKUP)
    await ask(judge, "services", founded, reader)
    with pytest.raises(Refused, match="PermissionDenied"):
        await ask(judge, "snapshot", founded, reader)
    with pytest.raises(Refused, match="PermissionDenied"):
        await ask(judge, "list", founded, reader, namespace="config", type="MachineConfigs.config.talos.dev")
    await ask(judge, "members", founded, backup)
    with pytest.raises(Refused, match="PermissionDenied"):
        await ask(judge, "services", founded, backup)
    with pytest.raises(Refused, match="certificate"):
        await ask(judge, "version", founded)


async def test_bootstrap_is_refused_the_second_time(judge: Judge, founded: Machine, cluster: Cluster) -> None:
    with pytest.raises(Refused, match=r"AlreadyExists.*etcd data directory is not empty"):
        await ask(judge, "bootstrap", founded, cluster.talosconfig())


async def test_etcd_is_a_real_one(judge: Judge, founded: Machine, cluster: Cluster) -> None:
    (answer,) = (await ask(judge, "members", founded, cluster.talosconfig()))["messages"]
    (member,) = answer["members"]
    assert member["hostname"] == "controlplane-1"
    (status,) = (await ask(judge, "etcd", founded, cluster.talosconfig()))["messages"]
    assert status["memberStatus"]["leader"] == status["memberStatus"]["memberId"] == member["id"]
    said = await ask(judge, "snapshot", founded, cluster.talosconfig(ApiRole.ETCD_BACKUP))
    database = base64.b64decode(said["database"])
    assert len(database) % 512 == 32
    assert hashlib.sha256(database[:-32]).digest() == database[-32:]
