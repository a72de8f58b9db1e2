"""Stand-ins for Talos are reset and leave a real etcd; their Nodes are deleted by an API server that asks for certificates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.founding import FoundingSite, founding_site, hostname
from support.machines import machine_of
from support.waiting import until

from iluvatar_pxe.layers.arda.founding import Founded
from iluvatar_pxe.layers.arda.reinstall import NextBoot, Refused, Reset
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.reinstalling import Reinstaller


@asynccontextmanager
async def founded(tmp_path: Path, planes: int) -> AsyncIterator[tuple[FoundingSite, Reinstaller]]:
    async with founding_site(tmp_path, planes=planes) as site:
        daemon = site.daemons[0]
        daemon.start()
        for machine in site.planes:
            await machine.power_on()
        await until(lambda: isinstance(daemon.step, Founded) and all(one.is_ready for one in site.planes))
        await daemon.kill()
        reinstaller = Reinstaller(daemon.context)
        task = asyncio.create_task(reinstaller.run())
        yield site, reinstaller
        task.cancel()
        await asyncio.wait([task])


async def members(site: FoundingSite) -> dict[str, int]:
    """Return the ids of the members by name, as the first control plane's etcd has them."""
    boot = site.planes[0].boot
    assert boot
    assert boot.membership
    return {one.name: one.id for one in await boot.membership.etcd.members()}


def machine(site: FoundingSite, number: int) -> Machine:
    return machine_of(site.planes[number].hardware.mac, phase=Phase.JOINED)


async def test_one_of_three_leaves_etcd_and_is_wiped(tmp_path: Path) -> None:
    async with founded(tmp_path, 3) as (site, reinstaller):
        before, boots = await members(site), len(site.planes[2].boots)
        step = await reinstaller.step(machine(site, 2), wipes=False, is_forced=False)
        assert step == Reset(graceful=True)
        await reinstaller.reset(machine(site, 2), step)
        await until(lambda: len(site.planes[2].boots) > boots)
        left = before[hostname(site.planes[2])]
        assert left not in (await members(site)).values()
        assert not site.planes[2].failures


@pytest.mark.long
async def test_one_of_three_that_is_dead_is_wiped_at_its_next_boot_and_then_no_other(tmp_path: Path) -> None:
    async with founded(tmp_path, 3) as (site, reinstaller):
        await site.planes[2].power_cut()
        step = await reinstaller.step(machine(site, 2), wipes=False, is_forced=False)
        assert step == NextBoot(wipes=True)
        refused = await reinstaller.step(machine(site, 1), wipes=False, is_forced=False)
        assert isinstance(refused, Refused)
        assert "1 healthy members would be left of etcd's 3" in refused.why
        assert await reinstaller.step(machine(site, 1), wipes=False, is_forced=True) == Reset(graceful=True)


async def test_the_last_control_plane_is_only_reset_by_force(tmp_path: Path) -> None:
    async with founded(tmp_path, 1) as (site, reinstaller):
        refused = await reinstaller.step(machine(site, 0), wipes=True, is_forced=False)
        assert isinstance(refused, Refused)
        assert "it is the last healthy control plane" in refused.why
        step = await reinstaller.step(machine(site, 0), wipes=False, is_forced=True)
        assert step == Reset(graceful=False)


async def test_a_machine_of_no_cluster_boots_its_chain_again(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        reinstaller = Reinstaller(site.daemons[0].context)
        other = machine_of("52:54:00:ff:ff:ff", phase=Phase.JOINED)
        assert await reinstaller.step(other, wipes=False, is_forced=False) == NextBoot(wipes=False)
