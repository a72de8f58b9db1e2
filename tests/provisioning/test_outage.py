"""What a real etcd below stand-ins for Talos would lose by a machine without power."""

from pathlib import Path

import pytest
from support.founding import founding_site
from support.machines import machine_of
from support.waiting import until

from iluvatar_pxe.layers.ainur.removal import Servers
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.outage import Outage
from iluvatar_pxe.values import replace


async def no_servers(_: str) -> Servers | None:
    return None


@pytest.mark.long
async def test_a_control_plane_that_etcd_can_miss_may_be_switched_off_and_the_next_not(
    tmp_path: Path,
) -> None:
    async with founding_site(tmp_path, planes=3, workers=1) as site:
        daemon, machines = site.daemons[0], site.planes + site.workers
        daemon.start()
        for machine in machines:
            await machine.power_on()
        await until(lambda: isinstance(daemon.step, Founded) and all(one.is_ready for one in machines))
        outage = Outage(daemon.context, no_servers)
        known = [machine_of(one.hardware.mac, phase=Phase.JOINED) for one in machines]
        assert [await outage.harm(one) for one in known] == [""] * 4
        await site.planes[2].power_cut()
        first, second, third, worker = [await outage.harm(one) for one in known]
        assert "would have 1 of 3 members and needs 2" in first
        assert first == second
        assert (third, worker) == ("", "")
        assert await outage.harm(machine_of("52:54:00:00:00:99")) == ""
        listed = daemon.context.fleet().listed
        assert [await outage.harm_unseen(one) for one in listed] == [first, second, third, worker]
        unlisted = replace(daemon.context.fleet(), listed=())
        blind = Outage(replace(daemon.context, snapshot=Snapshot, fleet=lambda: unlisted), no_servers)
        told = [await blind.harm_unseen(one) for one in listed]
        assert ["nobody lists the members" in one for one in told] == [True, True, True, False]
