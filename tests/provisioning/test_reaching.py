"""Machines whose recorded addresses are others' by now: what is meant for one never reaches another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from support.converging import Converger, ConvergingSite, converging_site
from support.founding import file_of, see_joined
from support.resetting import reset
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.layers.arda.reinstall import NextBoot, Refused, Reset
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.reinstalling import Reinstaller

PATCH = "machine: {sysctls: {vm.swappiness: '77'}}\n"


def swappiness(machine: Machine) -> Any:
    documents = machine.boot.configuration.documents if machine.boot and machine.boot.configuration else ()
    return (
        next(one for one in documents if "kind" not in one)["machine"].get("sysctls", {}).get("vm.swappiness")
    )


@asynccontextmanager
async def exchanged(directory: Path) -> AsyncIterator[tuple[ConvergingSite, Converger]]:
    """Give a cluster whose two workers have each other's address in the inventory, and a change of worker-2."""
    async with converging_site(directory, workers=2) as site:
        (daemon,), (first, second) = site.daemons, site.workers
        files = dict[str, str | None]()
        for machine, address in ((first, second.address), (second, first.address)):
            await see_joined(daemon.founder, machine, address)
            for path, text in file_of(machine, Role.WORKER).items():
                lines = (text or "").splitlines(keepends=True)
                files[path] = "".join(line for line in lines if not line.startswith("address"))
        files["machines/worker-2.yaml"] = f"{files['machines/worker-2.yaml']}patches: [patches/two.yaml]\n"
        site.founding.change({**files, "patches/two.yaml": PATCH})
        await daemon.founder.follows.follower.refresh()
        daemon.start()
        yield site, daemon


@asynccontextmanager
async def reinstalling(daemon: Converger) -> AsyncIterator[Reinstaller]:
    reinstaller = Reinstaller(daemon.founder.context, daemon.founder.follows.inventory)
    task = asyncio.create_task(reinstaller.run())
    try:
        await asyncio.sleep(0)
        yield reinstaller
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_machine_is_found_where_kubernetes_has_it(tmp_path: Path) -> None:
    async with exchanged(tmp_path) as (site, daemon), reinstalling(daemon) as reinstaller:
        first, second = site.workers
        await until(lambda: swappiness(first) == "77")
        assert swappiness(second) is None
        await daemon.kill()
        known = daemon.founder.follows.inventory.snapshot.machine(first.hardware.mac)
        assert known
        boots = len(first.boots), len(second.boots)
        step = await reinstaller.step(known, wipes=False, is_forced=False)
        assert isinstance(step, Reset)
        await reset(reinstaller, known, step)
        await until(lambda: len(first.boots) > boots[0])
        assert len(second.boots) == boots[1]
        assert "worker-3" not in site.kubernetes.deleted


async def test_where_nobody_knows_its_address_nothing_is_done_with_the_machine_that_answers(
    tmp_path: Path,
) -> None:
    async with exchanged(tmp_path) as (site, daemon), reinstalling(daemon) as reinstaller:
        first, second = site.workers
        for node in site.kubernetes.nodes.values():
            node["status"]["addresses"] = []
        await until(
            lambda: f"worker-3 answers at {second.address}, which was worker-2's" in daemon.told("worker-2")
        )
        known = daemon.founder.follows.inventory.snapshot.machine(first.hardware.mac)
        assert known
        refused = await reinstaller.step(known, wipes=False, is_forced=False)
        assert isinstance(refused, Refused)
        assert (
            f"worker-3 answers at {second.address}, which was worker-2's address; restart worker-2"
            in refused.why
        )
        assert await reinstaller.step(known, wipes=False, is_forced=True) == NextBoot(wipes=True)
        assert [swappiness(one) for one in site.workers] == [None, None]
