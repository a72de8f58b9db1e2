"""``kill -9`` of the real daemon at random moments while many machines enrol: no name or role twice, none lost."""

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest
from support.fleets import CONFIGURED
from support.stations import Site, site
from support.switched_on import plug_in, switch_on, told_by
from support.waiting import wait_until

from iluvatar_pxe.lab.room.network import SERVER_ADDRESS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

MACHINES = 50
LEADERS = 3
LONGEST_LIFE = 4.0
"""Seconds that a daemon lives at most before it is killed: as long as it takes many machines to enrol."""
MACS = [f"52:54:00:77:02:{number:02x}" for number in range(MACHINES)]
FILES = {
    "fleet.yaml": "enrolment: {countdown: 1}\nmaxAttempts: 1000\nrules: [{match: {product: Sim}, layer: arda}]\n",
    "layers/arda.yaml": f"{CONFIGURED}controlPlanes: {LEADERS}\n",
    "configs/controlplane.yaml": "controlplane",
    "configs/worker.yaml": "worker",
}


@pytest.fixture
def lan() -> Iterator[Site]:
    with site() as built:
        yield built


@pytest.mark.long  # provisioning/test_two_daemons.py and inventory/test_kill.py have a few
@pytest.mark.parametrize("kills", [2, 200])
def test_nothing_is_given_twice_or_lost(lan: Site, kills: int) -> None:
    moments = random.Random(kills)
    plug_in(lan.namespace, MACS)
    machines = switch_on(lan.namespace, SERVER_ADDRESS, 0, MACS)
    for _ in range(kills):
        daemon = lan.start(FILES)
        time.sleep(moments.uniform(0, LONGEST_LIFE))
        daemon.stop(how=signal.SIGKILL)
    lan.start(FILES)
    wait_until(lambda: len(told_by(machines)) == MACHINES, "all machines to boot", 120)
    told = told_by(machines)
    assert all(len(each) == 1 for each in told.values()), "a machine keeps its name and its role"
    pairs = [next(iter(each)) for each in told.values()]
    assert len({name for name, _ in pairs}) == MACHINES, "no name is given twice"
    assert [role for _, role in pairs].count("controlplane") == LEADERS
    assert sorted(pairs) == sorted(lan.rows("SELECT name, role FROM assignments"))
    assert len(lan.rows("SELECT DISTINCT machine_id FROM assignments")) == MACHINES
