"""Stand-ins for Talos are reset and leave a real etcd; their Nodes are deleted by an API server that asks for certificates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.founding import Founder, FoundingSite, file_of, founding_site, hostname, see_joined
from support.machines import machine_of
from support.power import power_with
from support.resetting import reset
from support.talos.hardware import Disk
from support.talos.kubernetes import Kubernetes
from support.talos.machine import Machine as TalosMachine
from support.waiting import until

from iluvatar_pxe.admin.edits import reinstalled
from iluvatar_pxe.admin.machines import Reinstall
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.reinstall import NextBoot, Refused, Reset
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.layers.kubernetes.client import claim, release
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import CleanUp, Phase, Role, Wipe
from iluvatar_pxe.provisioning.reinstalling import Reinstaller
from iluvatar_pxe.values import replace


@asynccontextmanager
async def founded(
    tmp_path: Path, planes: int, workers: int = 0, *, watches: bool = False
) -> AsyncIterator[tuple[FoundingSite, Reinstaller]]:
    """Give a site whose machines have joined; ``watches``: the daemon goes on to look after the cluster."""
    async with founding_site(tmp_path, planes=planes, workers=workers) as site:
        daemon, machines = site.daemons[0], site.planes + site.workers
        daemon.start()
        for machine in machines:
            await machine.power_on()
        await until(lambda: isinstance(daemon.step, Founded) and all(one.is_ready for one in machines))
        if not watches:
            await daemon.kill()
        reinstaller = reinstaller_of(daemon)
        task = asyncio.create_task(reinstaller.run())
        yield site, reinstaller
        task.cancel()
        await asyncio.wait([task])


def reinstaller_of(daemon: Founder) -> Reinstaller:
    return Reinstaller(daemon.context, daemon.follows.inventory)


async def members(site: FoundingSite) -> dict[str, int]:
    """Return the ids of the members by name, as the last control plane's etcd has them."""
    boot = site.planes[-1].boot
    assert boot
    assert boot.membership
    return {one.name: one.id for one in await boot.membership.etcd.members()}


def machine(site: FoundingSite, number: int) -> Machine:
    return machine_of(site.planes[number].hardware.mac, phase=Phase.JOINED)


def kubernetes_of(site: FoundingSite) -> Kubernetes:
    return site.talos.site.kubernetes(site.talos.bundle.os.crt.encode())


async def test_the_founder_of_three_hands_over_etcd_leaves_it_and_is_wiped(tmp_path: Path) -> None:
    async with founded(tmp_path, 3) as (site, reinstaller):
        first = site.planes[0]
        before, boots = await members(site), len(first.boots)
        step = await reinstaller.step(machine(site, 0), wipes=False, is_forced=False)
        assert step == Reset(graceful=True, forfeits=True)
        await reset(reinstaller, machine(site, 0), step)
        await until(lambda: len(first.boots) > boots)
        assert "led by another member" in first.boots[boots - 1].log.text
        assert before[hostname(first)] not in (await members(site)).values()
        await until(lambda: kubernetes_of(site).deleted == [hostname(first)])
        assert not first.failures


async def test_a_worker_is_drained_wiped_but_for_its_data_disk_and_joins_again(tmp_path: Path) -> None:
    async with founded(tmp_path, 1, workers=2) as (site, reinstaller):
        kubernetes, worker = kubernetes_of(site), site.workers[0]
        worker.hardware.disks.append(Disk("sdb", serial="DATA", holds=("xfs",)))
        pod = kubernetes.run("web", "worker-2")["metadata"]["name"]
        boots, known = len(worker.boots), machine_of(worker.hardware.mac, phase=Phase.JOINED)
        step = await reinstaller.step(known, wipes=False, is_forced=False)
        assert step == Reset(graceful=True)
        await reset(reinstaller, known, step)
        await until(lambda: kubernetes.deleted == ["worker-2"])
        await until(
            lambda: worker.is_ready and len(worker.boots) >= boots + 2
        )  # the installer's, and its own
        assert kubernetes.evicted == [pod]
        assert not kubernetes.nodes["worker-2"]["spec"].get("unschedulable")
        assert worker.hardware.disks[1].holds == ("xfs",)
        assert not worker.failures


async def test_the_last_healthy_replica_of_a_volume_is_only_given_up_by_force(tmp_path: Path) -> None:
    async with founded(tmp_path, 1, workers=1) as (site, reinstaller):
        kubernetes = kubernetes_of(site)
        known = machine_of(site.workers[0].hardware.mac, phase=Phase.JOINED)
        kubernetes.store("twice", {"worker-2": True, "controlplane-1": True})
        assert await reinstaller.step(known, wipes=False, is_forced=False) == Reset(graceful=True)
        kubernetes.store("once", {"worker-2": True, "controlplane-1": False})
        refused = await reinstaller.step(known, wipes=False, is_forced=False)
        assert isinstance(refused, Refused)
        assert "Longhorn's volumes once have their last healthy replica there" in refused.why
        assert await reinstaller.step(known, wipes=False, is_forced=True) == Reset(graceful=True)
        (text,) = file_of(site.workers[0], Role.WORKER).values()
        site.change({"machines/worker-2.yaml": None, "machines/web.yaml": text})
        await site.daemons[0].follows.follower.refresh()
        refused = await reinstaller.step(known, wipes=False, is_forced=False)
        assert isinstance(refused, Refused)
        assert "web: Longhorn's volumes once" in refused.why, "its Node has its former name"
        await site.planes[0].power_cut()
        refused = await reinstaller.step(known, wipes=False, is_forced=False)
        assert isinstance(refused, Refused)
        assert "no control plane's Kubernetes API tells" in refused.why


async def test_of_machines_that_are_reset_at_once_only_as_many_are_as_the_cluster_can_miss(
    tmp_path: Path,
) -> None:
    async with founded(tmp_path, 3, workers=2) as (site, reinstaller):
        kubernetes, daemon = kubernetes_of(site), site.daemons[0]
        machines = site.planes + site.workers
        for one in machines:
            await see_joined(daemon, one)
        commands = daemon.commands(reinstaller=reinstaller, power=power_with())

        async def reinstall(*names: str) -> list[str]:
            asked = (Reinstall(machine=name, wake=True).carry_out(commands, "root") for name in names)
            return [str(one) for one in await asyncio.gather(*asked, return_exceptions=True)]

        at = site.planes[0].address, await daemon.context.kubernetes("arda")
        await claim(*at, "controlplane-3")
        assert "needed (controlplane-3 is being changed)" in (await reinstall("controlplane-1"))[0]
        await release(*at, "controlplane-3")

        kubernetes.store("twice", {"worker-4": True, "worker-5": True})
        for name in ("controlplane-1", "worker-4"):
            kubernetes.run("web", name)
        kubernetes.budgets["web"] = 2  # so that Talos drains for a while
        taken, *refused = await reinstall("controlplane-1", "controlplane-2", "controlplane-3")
        assert "controlplane-1 is reset now" in taken
        assert "; Talos restarts it by itself, so its power is left alone" in taken
        assert all("are needed (controlplane-1 is to be installed again)" in one for one in refused)
        taken, refusal = await reinstall("worker-4", "worker-5")
        assert "worker-4 is reset now" in taken
        assert "Longhorn's volumes twice have their last healthy replica there" in refusal


@pytest.mark.long
async def test_one_of_three_that_is_dead_is_wiped_at_its_next_boot_and_then_no_other(tmp_path: Path) -> None:
    async with founded(tmp_path, 3) as (site, reinstaller):
        await site.planes[2].power_cut()
        step = await reinstaller.step(machine(site, 2), wipes=False, is_forced=False)
        assert step == NextBoot(wipes=True)
        refused = await reinstaller.step(machine(site, 1), wipes=False, is_forced=False)
        assert isinstance(refused, Refused)
        assert "1 healthy members would be left of etcd's 3" in refused.why
        assert await reinstaller.step(machine(site, 1), wipes=False, is_forced=True) == Reset(
            graceful=True, forfeits=True
        )


async def test_the_last_control_plane_is_only_reset_by_force_and_the_cluster_then_founded_again(
    tmp_path: Path,
) -> None:
    async with founded(tmp_path, 1, watches=True) as (site, reinstaller):
        refused = await reinstaller.step(machine(site, 0), wipes=True, is_forced=False)
        assert isinstance(refused, Refused)
        assert "it is the last healthy control plane" in refused.why
        step = await reinstaller.step(machine(site, 0), wipes=False, is_forced=True)
        assert step == Reset(graceful=False, ends_cluster=True)
        boots = len(site.planes[0].boots)
        await reset(reinstaller, machine(site, 0), step)
        await until(lambda: len(site.planes[0].boots) > boots)
        again = ["arda is founded again", "arda is founded by controlplane-1", "arda is founded"]
        await until(lambda: site.log()[-3:] == again)
        await until(lambda: site.planes[0].is_ready)
        assert "generation: 2" in site.record()


async def test_a_machine_of_no_cluster_boots_its_chain_again(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        reinstaller = reinstaller_of(site.daemons[0])
        other = machine_of("52:54:00:ff:ff:ff", phase=Phase.JOINED)
        assert await reinstaller.step(other, wipes=False, is_forced=False) == NextBoot(wipes=False)


async def test_before_a_cluster_is_founded_no_node_is_deleted(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        reinstaller = reinstaller_of(site.daemons[0])
        left = reinstaller.left_by(machine(site, 0), NextBoot(wipes=False))
        assert left
        with capture_logs() as logs:
            await reinstaller._clean_up(machine(site, 0), left)
        assert [one for one in logs if one["event"] == "node.delete"] == []


async def starts_again(site: FoundingSite, *left: tuple[TalosMachine, CleanUp]) -> None:
    """Have a daemon go on that was killed while this was left to do, as its inventory has it, until nothing is."""
    before = site.daemons[0].follows.inventory
    for machine, one in left:
        address = IPv4Address(machine.address)
        sighting = Sighting(mac=machine.hardware.mac, firmware=Firmware.TALOS, address=address)
        known = before.observe(sighting, Stage.CONFIG)
        edit = reinstalled("test", Wipe.NO, one)
        await before.change(known.id, edit, Happening.CHANGED, "reinstall", "test")
    again = Inventory(f"sqlite:///{site.directory / 'one'}.db")
    await again.open()
    context = replace(site.daemons[0].context, snapshot=lambda: again.snapshot)
    task = asyncio.create_task(Reinstaller(context, again).run())
    assert sum(bool(one.clean_up) for one in again.snapshot.by_id.values()) == len(left)
    await until(lambda: not any(one.clean_up for one in again.snapshot.by_id.values()))
    task.cancel()
    await asyncio.wait([task])
    await again.close()


async def test_a_daemon_that_is_started_again_goes_on_with_what_is_left_to_do(tmp_path: Path) -> None:
    """Of two machines that were reset, one is down, and the other is in its cluster again by now."""
    async with founded(tmp_path, 1, workers=2) as (site, _):
        gone, back = site.workers
        await gone.power_cut()
        await starts_again(
            site, (gone, CleanUp("arda", "worker-2", boot=1)), (back, CleanUp("arda", "worker-3", boot=0))
        )
        assert kubernetes_of(site).deleted == ["worker-2"]
        assert back.is_ready


async def test_a_cluster_whose_last_control_plane_was_reset_is_founded_again_once_after_a_start(
    tmp_path: Path,
) -> None:
    async with founded(tmp_path, 1) as (site, _):
        (plane,) = site.planes
        await plane.power_cut()
        for _ in range(2):  # the second time it was killed between the commit and the inventory
            await starts_again(site, (plane, CleanUp("arda", hostname(plane), boot=1, ends=1)))
        assert "generation: 2" in site.record()
