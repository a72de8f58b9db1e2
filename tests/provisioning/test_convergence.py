"""Machines that have joined get what commits change of them: while they run, or by a restart, one at a time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.converging import Converger, ConvergingSite, converging_site
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.layers.arda.api.client import TalosApi
from iluvatar_pxe.layers.arda.api.model import ApplyMode
from iluvatar_pxe.layers.arda.configuration.facts import Manifest
from iluvatar_pxe.layers.arda.documents import Contract, changeable, dump_documents
from iluvatar_pxe.layers.arda.restarts import Converged
from iluvatar_pxe.machines.states import Role

SYSCTL = "machine: {{sysctls: {{vm.swappiness: '{}'}}}}\n"
BROKEN = "cluster: {apiServer: {extraArgs: {no-such-flag: 'true'}}}\n"
UDEV = "machine: {{udev: {{rules: ['{}']}}}}\n"


def runs_with(machine: Machine) -> Any:
    """Return the v1alpha1 document of a machine, as it runs."""
    documents = machine.boot.configuration.documents if machine.boot and machine.boot.configuration else ()
    return next((one for one in documents if "kind" not in one), {"machine": {}, "cluster": {}})


def swappiness(machine: Machine) -> str:
    return str(runs_with(machine)["machine"].get("sysctls", {}).get("vm.swappiness"))


def stored(machine: Machine) -> str:
    """Return the configuration that a machine starts with next."""
    disk = machine.hardware.system_disk
    assert disk
    assert disk.installed
    return disk.installed.config


def rules(machine: Machine) -> list[str]:
    return list(runs_with(machine)["machine"].get("udev", {}).get("rules", ()))


async def converged(*daemons: Converger) -> None:
    await until(lambda: all(isinstance(one.step, Converged) for one in daemons))


async def edit(site: ConvergingSite, machine: Machine, **parts: Any) -> None:
    """Change parts of the v1alpha1 document as a person does by talosctl."""
    assert machine.boot
    assert machine.boot.configuration
    first, *others = (changeable(one) for one in machine.boot.configuration.documents)
    for path, value in parts.items():
        part, field = path.split("_")
        first[part][field] = first[part].get(field, {}) | value
    async with TalosApi.connect(machine.address, site.founding.talos.credentials()) as api:
        await api.apply(dump_documents([first, *others]), ApplyMode.NO_REBOOT)


async def test_what_is_live_is_applied_while_the_machine_runs_and_what_others_change_is_put_back(
    tmp_path: Path,
) -> None:
    async with converging_site(tmp_path) as site:
        (machine,), (daemon,) = site.planes, site.daemons
        boots = len(machine.boots)
        daemon.start()
        await converged(daemon)
        assert daemon.told("controlplane-1") == ""
        await site.commit(SYSCTL.format(10))
        await until(lambda: swappiness(machine) == "10")

        daemon.manifests = (Manifest("argo-cd", "kind: Namespace\n"),)
        await until(lambda: "inlineManifests" in runs_with(machine)["cluster"])
        daemon.manifests = ()
        await edit(
            site,
            machine,
            machine_sysctls={"vm.swappiness": "99"},
            machine_kubelet={"image": "a/kubelet:v1.37.0"},
        )
        await until(lambda: swappiness(machine) == "10")
        assert runs_with(machine)["machine"]["kubelet"]["image"] == "a/kubelet:v1.37.0", (
            "nothing is downgraded"
        )
        assert "inlineManifests" in runs_with(machine)["cluster"], "what is missing here is not taken away"
        await converged(daemon)
        await until(
            lambda: (
                "talosctl upgrade-k8s: machine.kubelet.image v1.37.0 → v1.36.3"
                in daemon.told("controlplane-1")
            )
        )
        assert len(machine.boots) == boots


async def test_what_a_machine_refuses_is_told_in_its_words_and_the_next_commit_is_tried(
    tmp_path: Path,
) -> None:
    async with converging_site(tmp_path) as site:
        (machine,), (daemon,) = site.planes, site.daemons
        tried = []

        def verdict(text: str) -> None:
            tried.append(text)
            if "'11'" in text:
                raise ValueError(f"no such sysctl; token {site.founding.talos.bundle.trustd_token}")

        machine.verdict = verdict
        daemon.start()
        await site.commit(SYSCTL.format(11))
        await until(lambda: "no such sysctl" in daemon.problem)
        await until(lambda: "no such sysctl" in daemon.told("controlplane-1"))
        assert site.founding.talos.bundle.trustd_token not in daemon.problem
        await converged(daemon)
        assert len(tried) == 1
        await site.commit(SYSCTL.format(12))
        await until(lambda: swappiness(machine) == "12")
        await until(lambda: not daemon.problem)


@asynccontextmanager
async def watched(machines: list[Machine]) -> AsyncIterator[list[int]]:
    """Give the most machines that were not ready at the same time, looked at all the time."""
    most = [0]

    async def look() -> None:
        while True:
            most[0] = max(most[0], sum(not one.is_ready for one in machines))
            await asyncio.sleep(0.01)

    task = asyncio.create_task(look())
    try:
        yield most
    finally:
        task.cancel()
        await asyncio.wait([task])


async def restarted(site: ConvergingSite, rule: str, machines: list[Machine]) -> None:
    for number in range(1, len(machines) + 1):
        await until(lambda: sum(rules(one) == [rule] and one.is_ready for one in machines) >= number)  # noqa: B023
    await until(lambda: not site.kubernetes.leases)
    nodes = site.kubernetes.nodes.values()
    assert not any(node["spec"].get("unschedulable") or node["metadata"]["annotations"] for node in nodes)


@pytest.mark.parametrize(
    ("planes", "workers", "kills"),
    [(1, 1, 2), *[pytest.param(3, 0, kills, marks=pytest.mark.long) for kills in (2, 40)]],
)
async def test_machines_restart_one_after_the_other_also_by_a_daemon_that_is_killed_beside_another(
    tmp_path: Path, planes: int, workers: int, kills: int
) -> None:
    async with converging_site(tmp_path, planes=planes, workers=workers, daemons=("one", "two")) as site:
        machines, moments = [*site.planes, *site.workers], random.Random(kills)
        boots = [len(one.boots) for one in machines]
        site.kubernetes.run("web", "controlplane-1")
        one, two = site.daemons
        two.start()
        async with watched(machines) as most:
            await site.commit(UDEV.format("a"))
            for _ in range(kills):
                one.start()
                await asyncio.sleep(moments.uniform(0, 1.5))
                await one.kill()
            one.start()
            await restarted(site, "a", machines)
        assert most == [1]
        assert [len(each.boots) for each in machines] == [number + 1 for number in boots]
        assert any(name.startswith("web-") for name in site.kubernetes.evicted)
        await converged(one, two)


async def test_a_pod_that_may_not_leave_and_a_machine_that_does_not_come_back_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iluvatar_pxe.layers.kubernetes.client.DRAIN_SECONDS", 0.3)
    monkeypatch.setattr("iluvatar_pxe.provisioning.convergence.LOST_SECONDS", 0.5)
    async with converging_site(tmp_path, workers=2) as site:
        (daemon,), (first, second) = site.daemons, site.workers
        boots = len(second.boots)
        site.kubernetes.run("web", "worker-2")
        site.kubernetes.budgets["web"] = 1
        refused = site.kubernetes.run("twice", "worker-2")
        site.kubernetes.doubled.add("twice")
        daemon.start()
        await site.commit(UDEV.format("a"), Role.WORKER)
        await until(lambda: "more than one PodDisruptionBudget" in daemon.problem)
        assert f"worker-2: default/{refused['metadata']['name']} (status 500: " in daemon.problem
        site.kubernetes.doubled.clear()
        await until(lambda: "worker-2: default/web-" in daemon.problem)
        assert "runs there still; look at its PodDisruptionBudget" in daemon.problem
        assert first.is_ready

        assert "udev" in stored(first)
        await site.commit("machine: {}\n", Role.WORKER)
        await until(lambda: "udev" not in stored(first))
        await converged(daemon)
        assert site.kubernetes.leases == {}
        assert "unschedulable" not in site.kubernetes.nodes["worker-2"]["spec"]
        assert not daemon.problem

        await site.commit(UDEV.format("a"), Role.WORKER)
        await until(lambda: "worker-2: default/web-" in daemon.problem)
        site.kubernetes.budgets.clear()
        await until(lambda: not first.is_ready)
        await first.power_cut()
        await until(lambda: "worker-2: is not ready" in daemon.problem)
        assert len(second.boots) == boots
        assert second.is_ready
        await first.power_on()
        await restarted(site, "a", [first, second])
        await until(lambda: not daemon.problem)


async def test_1_14_restarts_for_what_it_would_take_without_effect(tmp_path: Path) -> None:
    async with converging_site(tmp_path, Contract.V1_14) as site:
        (machine,), (daemon,) = site.planes, site.daemons
        boots = len(machine.boots)
        daemon.start()
        await site.commit(
            "cluster: {etcd: {extraArgs: {quota-backend-bytes: '4294967296'}}}\n", Role.CONTROLPLANE
        )
        await until(lambda: len(machine.boots) == boots + 1 and machine.is_ready)
        assert "extraArgs" in runs_with(machine)["cluster"]["etcd"]
        await until(lambda: not site.kubernetes.leases)
        await converged(daemon)


@pytest.mark.long
@pytest.mark.parametrize("daemons", [("one",), ("one", "two")])
async def test_what_an_api_server_does_not_start_with_reaches_one_control_plane_and_is_mended_by_a_commit(
    tmp_path: Path, daemons: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iluvatar_pxe.provisioning.convergence.LOST_SECONDS", 0.5)
    async with converging_site(tmp_path, planes=3, daemons=daemons, are_shared=True) as site:
        for daemon in site.daemons:
            daemon.start()
        await converged(*site.daemons)
        await site.commit(BROKEN, Role.CONTROLPLANE)
        await until(lambda: any("no-such-flag" in stored(one) and not one.is_ready for one in site.planes))
        await until(lambda: any(one.problem for one in site.daemons))
        (spoilt,) = (one for one in site.planes if "no-such-flag" in stored(one))
        assert [one for one in site.planes if not one.is_ready] == [spoilt]

        await site.commit("cluster: {apiServer: {extraArgs: {profiling: 'true'}}}\n", Role.CONTROLPLANE)
        await until(lambda: all("profiling" in stored(one) and one.is_ready for one in site.planes))
        await until(lambda: not site.kubernetes.leases)
        await converged(*site.daemons)
        assert not any(one.problem for one in site.daemons)


async def test_another_daemon_takes_over_what_reported_to_one_that_is_gone(tmp_path: Path) -> None:
    async with converging_site(tmp_path, daemons=("one", "two")) as site:
        (machine,), two = site.planes, site.daemons[1]
        await site.commit(SYSCTL.format(10))
        two.start()
        await converged(two)
        assert swappiness(machine) == "None"
        two.others.clear()
        await until(lambda: swappiness(machine) == "10")
        assert machine.boot
        assert machine.boot.configuration
        assert machine.boot.configuration.event_sink == "127.0.0.2:3333"
