"""Many machines on the lab's segment, each with its own MAC, address and answers to ARP, that boot again and again."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import BRIDGE

_SCRIPT = Path(__file__).with_name("many_machines.py")
STATION = "machines"
"""The network of these machines."""


def plug_in(namespace: Namespace, macs: Sequence[str]) -> None:
    """Give one host the cards of all machines."""
    run = namespace.run
    run(["ip", "netns", "add", STATION])
    settings = ("all.arp_ignore=1", "all.arp_announce=2", "all.rp_filter=0", "default.rp_filter=0")
    run(["sysctl", "-qw", *(f"net.ipv4.conf.{setting}" for setting in settings)], network=STATION)
    cables = "".join(
        f"link add p{number} type veth peer name m{number} address {mac} netns {STATION}\n"
        f"link set p{number} master {BRIDGE} up\n"
        for number, mac in enumerate(macs)
    )
    cards = "".join(
        f"address add 10.77.0.{100 + number}/24 dev m{number}\nlink set m{number} up\n"
        for number in range(len(macs))
    )
    run(["sh", "-c", 'printf %s "$1" | ip -batch -', "sh", cables])
    run(["sh", "-c", 'printf %s "$1" | ip -batch -', "sh", cards], network=STATION)


def switch_on(namespace: Namespace, server: str, first: int, macs: Sequence[str]) -> Process:
    """Switch on machines, whose cards are those from number ``first`` on, and let them ask ``server``."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    argv = [sys.executable, str(_SCRIPT), server, "8080", str(first), *macs]
    return namespace.start(f"machines-{first}", argv, network=STATION, environment=environment)


def told_by(*processes: Process) -> dict[str, set[tuple[str, str]]]:
    """Return by MAC the names and configurations that a machine has been given."""
    found: dict[str, set[tuple[str, str]]] = {}
    for line in (line for process in processes for line in process.output.splitlines()):
        if line.startswith("{"):
            told = json.loads(line)
            found.setdefault(told["mac"], set()).add((told["name"], told["config"]))
    return found
