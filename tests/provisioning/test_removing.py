"""Machines whose files leave the fleet leave a cluster of stand-ins, with a real etcd and a Kubernetes API."""

import asyncio
from collections.abc import AsyncIterator, Iterable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.founding import QUICK, FoundingSite, file_of, founding_site, hostname, see_joined
from support.repositories import git
from support.talos.kubernetes import Kubernetes, app_of, node_of
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.admin.edits import with_directive
from iluvatar_pxe.admin.machines import Forget
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.arda.api.client import TalosApi
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.removal import Act
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.layers.kubernetes.client import claim, cordon, release
from iluvatar_pxe.layers.leaving import FILE_GONE
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.states import Directive, Intent, Role

WORKER, OTHER = "worker-2", "worker-3"


@asynccontextmanager
async def founded(
    tmp_path: Path, *, planes: int = 1, workers: int = 0, daemons: Iterable[str] = ("one",)
) -> AsyncIterator[tuple[FoundingSite, Kubernetes]]:
    """Give a site whose machines have joined, daemons that have seen them, and what its Kubernetes holds."""
    async with founding_site(tmp_path, planes, daemons, workers=workers) as site:
        machines = site.planes + site.workers
        for daemon in site.daemons:
            daemon.start()
        for machine in machines:
            await machine.power_on()
        await until(lambda: all(isinstance(one.step, Founded) for one in site.daemons))
        await until(lambda: all(one.is_ready for one in machines))
        for daemon in site.daemons:
            for machine in machines:
                await see_joined(daemon, machine)
        yield site, site.talos.site.kubernetes(site.talos.bundle.os.crt.encode())


async def push(site: FoundingSite, files: dict[str, str | None]) -> None:
    """Have a person push files or their removal, and the daemons follow."""
    site.change(files)
    for daemon in site.daemons:
        await daemon.follows.follower.refresh()


async def direct(site: FoundingSite, machine: Machine, directive: Directive) -> None:
    """Have all daemons know what a person wants of a machine."""
    for daemon in site.daemons:
        inventory = daemon.follows.inventory
        known = inventory.snapshot.machine(machine.hardware.mac)
        assert known
        await inventory.change(known.id, with_directive(directive), Happening.CHANGED, "directed", "test")


def without(*machines: Machine, role: Role = Role.WORKER) -> dict[str, str | None]:
    return {path: None for one in machines for path in file_of(one, role)}


async def members(plane: Machine) -> set[str]:
    """Return the names of the members, as a control plane's etcd has them."""
    assert plane.boot
    assert plane.boot.membership
    return {one.name for one in await plane.boot.membership.etcd.members()}


async def test_a_worker_is_drained_switched_off_and_its_node_deleted(tmp_path: Path) -> None:
    async with founded(tmp_path, workers=2) as (site, kubernetes):
        worker = site.workers[0]
        pod = kubernetes.run("web", WORKER)["metadata"]["name"]
        config = disk(worker)
        with pytest.raises(OperationError, match=f"remove machines/{WORKER}.yaml, push, and forget it once"):
            await forget(site, worker)
        at = site.planes[0].address, await site.daemons[0].context.kubernetes("arda")
        await claim(*at, OTHER)
        await push(site, without(worker))
        await until(lambda: said(site, f"{WORKER} leaves: {OTHER} is changed first"))
        await release(*at, OTHER)
        await until(lambda: WORKER in kubernetes.deleted)
        assert kubernetes.evicted == [pod]
        assert [node_of(one) for one in kubernetes.pods.values() if app_of(one) == "web"] != [WORKER]
        assert not worker.is_on
        assert disk(worker) == config
        assert site.planes[0].is_ready
        assert site.workers[1].is_ready
        await until(lambda: not site.daemons[0].clusters.lines)

        await worker.power_on()  # its disk still has its configuration
        await until(lambda: kubernetes.deleted == [WORKER, WORKER])
        assert not worker.is_on
        await until(lambda: not site.daemons[0].clusters.lines)
        assert "is forgotten" in await forget(site, worker)


async def forget(site: FoundingSite, machine: Machine) -> str:
    """Have a person have the first daemon forget a machine; return the answer."""
    daemon = site.daemons[0]
    context = daemon.commands(clusters=daemon.clusters)
    answer = await Forget(machine=machine.hardware.mac).carry_out(context, "ada")
    return str(answer["message"])


async def test_a_drain_that_a_budget_keeps_waits_and_ends_where_the_file_is_back(tmp_path: Path) -> None:
    async with founded(tmp_path, workers=2) as (site, kubernetes):
        worker, other = site.workers
        pod = kubernetes.run("database", WORKER)["metadata"]["name"]
        kubernetes.budgets["database"] = 1
        await push(site, without(worker, other))
        stuck = f"arda: {WORKER} leaves: its pods are moved to other nodes; 1 are left: default/{pod}"
        await until(lambda: stuck in site.daemons[0].clusters.lines)
        assert other.is_ready
        assert not kubernetes.nodes[OTHER]["spec"].get("unschedulable")

        await push(site, file_of(worker, Role.WORKER) | file_of(other, Role.WORKER))
        await until(lambda: not kubernetes.nodes[WORKER]["spec"].get("unschedulable"))
        await until(lambda: not site.daemons[0].clusters.lines)
        assert not kubernetes.deleted
        assert worker.is_ready

        await site.planes[0].power_cut()
        with capture_logs() as log:
            await push(site, {"notes.md": "nothing leaves by this\n"})
            await asyncio.sleep(1)
        assert [one for one in log if one["event"] == "machine.leaves"] == []


@pytest.mark.long
async def test_a_worker_that_is_dead_loses_its_node(tmp_path: Path) -> None:
    async with founded(tmp_path, workers=1) as (site, kubernetes):
        await site.workers[0].power_cut()
        await push(site, without(site.workers[0]))
        await until(lambda: WORKER in kubernetes.deleted)


async def test_one_whose_name_is_given_to_another_machine_is_told_until_it_may_leave(tmp_path: Path) -> None:
    async with founded(tmp_path, workers=1) as (site, kubernetes):
        worker, path = site.workers[0], f"machines/{WORKER}.yaml"
        new = str(file_of(worker, Role.WORKER)[path]).replace(worker.hardware.mac, "52:54:00:00:99:99")
        await push(site, {path: new.replace(f"address: {worker.address}\n", "")})
        await until(lambda: said(site, f"{WORKER} leaves: {path} lists another machine by now"))
        await stays(kubernetes)
        await push(site, {path: None})
        await until(lambda: WORKER in kubernetes.deleted)
        assert not worker.is_on


async def test_nothing_leaves_where_all_files_are_gone_or_the_fleet_is_not_read(tmp_path: Path) -> None:
    async with founded(tmp_path, workers=1) as (site, kubernetes):
        path, faulty = "layers/arda.yaml", "kind: nonsense\n"
        layer = git(site.central, "show", f"main:{path}")
        await push(site, without(site.workers[0]) | {path: faulty})
        await stays(kubernetes)
        await push(site, without(*site.planes, role=Role.CONTROLPLANE) | {path: layer})
        await until(lambda: said(site, "lists no control plane with an address"))
        await push(site, {path: faulty})
        await until(lambda: said(site, "no machine leaves while the newest fleet is not applied"))
        await stays(kubernetes)
        assert all(one.is_ready for one in site.planes + site.workers)


def said(site: FoundingSite, words: str) -> bool:
    return words in " ".join(site.daemons[0].clusters.lines)


async def stays(kubernetes: Kubernetes) -> None:
    """Wait for longer than machines take to leave, and see that none has begun to."""
    await asyncio.sleep(3 * QUICK.gone)
    assert not kubernetes.deleted
    assert not any(node["spec"].get("unschedulable") for node in kubernetes.nodes.values())


@pytest.mark.parametrize("is_dead", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_one_of_three_control_planes_leaves_etcd_and_not_all(tmp_path: Path, *, is_dead: bool) -> None:
    async with founded(tmp_path, planes=3, daemons=("one", "two")) as (site, kubernetes):
        left, *stay = site.planes  # the founder leads, unless etcd has elected another one
        if is_dead:
            await left.power_cut()
        await direct(site, stay[0], Directive(Intent.REINSTALL, "test"))
        await push(site, without(left, role=Role.CONTROLPLANE))
        await until(lambda: said(site, "1 healthy members would be left of etcd's 3, which are too few"))
        await direct(site, stay[0], Directive())
        await until(lambda: hostname(left) in kubernetes.deleted)
        assert await members(stay[0]) == {hostname(one) for one in stay}
        assert not left.is_on
        assert is_dead or "led by another member" in left.boots[-1].log.text
        await push(site, without(*stay, role=Role.CONTROLPLANE))
        await asyncio.sleep(3 * QUICK.gone)
        assert all(one.is_ready for one in stay)


async def test_a_control_plane_whose_file_is_back_after_it_left_etcd_joins_it_again(tmp_path: Path) -> None:
    async with founded(tmp_path, planes=3) as (site, kubernetes):
        left, name = site.planes[1], hostname(site.planes[1])
        context = site.daemons[0].context
        await cordon(site.planes[0].address, await context.kubernetes("arda"), name, FILE_GONE)
        async with TalosApi.connect(left.address, await context.credentials("arda", ApiRole.ADMIN)) as api:
            await api.etcd.forfeit()
            await api.etcd.leave()  # a daemon that was killed here did this
        boots = len(left.boots)
        await push(site, file_of(left) | {"layers/arda.yaml": site.show("layers/arda.yaml") + "# again\n"})
        await until(lambda: said(site, f"{name} stays: "))
        await until(lambda: not kubernetes.nodes[name]["spec"].get("unschedulable"))
        assert await members(site.planes[0]) == {hostname(one) for one in site.planes}
        assert len(left.boots) == boots + 1
        await until(lambda: not site.daemons[0].clusters.lines)


def disk(machine: Machine) -> str:
    """Return the configuration on a machine's disk."""
    found = machine.hardware.system_disk
    assert found
    assert found.installed
    return found.installed.config


def steps_of(logs: list[MutableMapping[str, Any]]) -> list[str]:
    """Return what was done, without how often pods were asked to leave."""
    found = [one["step"] for one in logs if one["event"] == "machine.leaves" and "step" in one]
    return [one for number, one in enumerate(found) if one not in found[:number] or one != Act.DRAIN]


async def test_of_two_daemons_one_has_a_machine_leave_and_the_other_goes_on_where_it_is_dead(
    tmp_path: Path,
) -> None:
    async with founded(tmp_path, workers=2, daemons=("one", "two")) as (site, kubernetes):
        first, second = site.workers
        with capture_logs() as logs:
            await push(site, without(first))
            await until(lambda: WORKER in kubernetes.deleted)
            await until(lambda: not any(daemon.clusters.lines for daemon in site.daemons))
        assert steps_of(logs) == [Act.DRAIN, Act.SHUT_DOWN, Act.DELETE_NODE]

        kubernetes.run("database", OTHER)
        kubernetes.budgets["database"] = 1
        await push(site, without(second))
        await until(lambda: any("1 are left" in line for one in site.daemons for line in one.clusters.lines))
        acts, waits = sorted(site.daemons, key=lambda one: "1 are left" not in str(one.clusters.lines))
        await until(lambda: f"{Act.DRAIN}, by another daemon" in str(waits.clusters.lines))
        await acts.kill()
        kubernetes.budgets.clear()
        await until(lambda: OTHER in kubernetes.deleted)
        assert not second.is_on
