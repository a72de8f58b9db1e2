"""``kill -9`` of the real daemon at random moments while many machines enrol: no name or role twice, none lost."""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleets import CONFIGURED
from support.stations import Site, site
from support.waiting import wait_until

from iluvatar_pxe.lab.network import BRIDGE, SERVER_ADDRESS
from iluvatar_pxe.lab.process import Process

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

MACHINES = 50
LEADERS = 3
LONGEST_LIFE = 4.0
"""Seconds that a daemon lives at most before it is killed: as long as it takes many machines to enrol."""
SCRIPT = Path(__file__).parents[1] / "support" / "many_machines.py"
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


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.long)])
def test_nothing_is_given_twice_or_lost(lan: Site, kills: int) -> None:
    moments = random.Random(kills)
    machines = switch_on(lan)
    for _ in range(kills):
        daemon = lan.start(FILES)
        time.sleep(moments.uniform(0, LONGEST_LIFE))
        daemon.stop(how=signal.SIGKILL)
    lan.start(FILES)
    wait_until(lambda: len(names(machines)) == MACHINES, "all machines to boot", 120)
    told = names(machines)
    assert all(len(each) == 1 for each in told.values()), "a machine keeps its name and its role"
    pairs = [next(iter(each)) for each in told.values()]
    assert len({name for name, _ in pairs}) == MACHINES, "no name is given twice"
    assert [role for _, role in pairs].count("controlplane") == LEADERS
    assert sorted(pairs) == sorted(lan.rows("SELECT name, role FROM assignments"))
    assert len(lan.rows("SELECT DISTINCT machine_id FROM assignments")) == MACHINES


def switch_on(lan: Site) -> Process:
    """Switch on all machines: cards of one host, each with its own MAC, address and answers to ARP."""
    run = lan.namespace.run
    run(["ip", "netns", "add", "machines"])
    settings = ("all.arp_ignore=1", "all.arp_announce=2", "all.rp_filter=0", "default.rp_filter=0")
    run(["sysctl", "-qw", *(f"net.ipv4.conf.{setting}" for setting in settings)], network="machines")
    cables = "".join(
        f"link add p{number} type veth peer name m{number} address {mac} netns machines\n"
        f"link set p{number} master {BRIDGE} up\n"
        for number, mac in enumerate(MACS)
    )
    cards = "".join(
        f"address add 10.77.0.{100 + number}/24 dev m{number}\nlink set m{number} up\n"
        for number in range(MACHINES)
    )
    run(["sh", "-c", 'printf %s "$1" | ip -batch -', "sh", cables])
    run(["sh", "-c", 'printf %s "$1" | ip -batch -', "sh", cards], network="machines")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    argv = [sys.executable, str(SCRIPT), SERVER_ADDRESS, "8080", *MACS]
    return lan.namespace.start("machines", argv, network="machines", environment=environment)


def names(machines: Process) -> dict[str, set[tuple[str, str]]]:
    """Return by MAC the names and configurations that a machine has been given."""
    found: dict[str, set[tuple[str, str]]] = {}
    for line in machines.output.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            found.setdefault(told["mac"], set()).add((told["name"], told["config"]))
    return found
