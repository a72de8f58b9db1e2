"""A machine that is reset, and a change that restarts machines: never both at a time."""

import asyncio
from contextlib import suppress
from pathlib import Path

from support.converging import converging_site
from support.machines import machine_of
from support.resetting import reset
from support.waiting import until

from iluvatar_pxe.layers.arda.reinstall import Reset
from iluvatar_pxe.layers.arda.restarts import Await
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.reinstalling import Reinstaller

UDEV = "machine: {udev: {rules: ['a']}}\n"


async def test_no_machine_restarts_for_a_change_while_another_one_is_reset(tmp_path: Path) -> None:
    async with converging_site(tmp_path, planes=3) as site:
        (daemon,), first = site.daemons, site.planes[0]
        boots = [len(one.boots) for one in site.planes]
        site.kubernetes.run("web", "controlplane-1")
        site.kubernetes.budgets["web"] = 1  # so that Talos drains for a while
        reinstaller = Reinstaller(daemon.founder.context, daemon.founder.follows.inventory)
        task = asyncio.create_task(reinstaller.run())
        await asyncio.sleep(0)
        known = machine_of(first.hardware.mac, phase=Phase.JOINED)
        step = await reinstaller.step(known, wipes=False, is_forced=False)
        assert isinstance(step, Reset)
        await reset(reinstaller, known, step)
        await site.commit(UDEV)
        daemon.start()
        why = "controlplane-2, controlplane-3: to be restarted for changes, but controlplane-1 is being reset"
        await until(lambda: isinstance(daemon.step, Await) and daemon.step.why == why)
        site.kubernetes.budgets.clear()
        await until(lambda: len(first.boots) > boots[0])
        assert [len(one.boots) for one in site.planes[1:]] == boots[1:]
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
