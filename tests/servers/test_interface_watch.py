"""An interface that changes under the daemon is noticed: real links, in a network of our own."""

import os
import sys
from pathlib import Path

import pytest

from iluvatar_pxe.lab.namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ROOT = Path(__file__).parents[2]
ADD = (
    "ip link add eth0 type veth peer name eth1 && ip address add 10.77.3.2/24 dev eth0 && ip link set eth0 up"
)
SCRIPT = """
import subprocess
from iluvatar_pxe.servers.interface_watch import InterfaceWatch
from iluvatar_pxe.servers.interfaces import choose_interfaces
watch = InterfaceWatch(choose_interfaces(["eth0"]))
for change in ["true"] + {changes!r}:
    subprocess.run(change, shell=True, check=True)
    watch.look()
    print("SAID", watch.problem)
"""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            ["ip link del eth0"],
            ["interface eth0 is gone, or has no IPv4 address; bring it up again"],
            id="gone",
        ),
        pytest.param(
            [f"ip link del eth0 && {ADD}"], ["interface eth0 was made anew; restart the daemon"], id="anew"
        ),
        pytest.param(
            ["ip address flush eth0 && ip address add 10.77.3.9/24 dev eth0"],
            ["interface eth0 has the address 10.77.3.9, not 10.77.3.2; restart the daemon"],
            id="renumbered",
        ),
        pytest.param(
            ["ip address flush eth0", "ip address add 10.77.3.2/24 dev eth0"],
            ["interface eth0 is gone, or has no IPv4 address; bring it up again", "None"],
            id="back again",
        ),
    ],
)
def test_what_is_said_of_a_change(changes: list[str], said: list[str]) -> None:
    with Namespace() as namespace:
        namespace.run(["sh", "-c", ADD])
        command = [sys.executable, "-c", SCRIPT.format(changes=changes)]
        output = namespace.run(["env", f"PYTHONPATH={ROOT}", *command])
    lines = [line.removeprefix("SAID ") for line in output.splitlines() if line.startswith("SAID ")]
    assert lines == ["None", *said]
