"""Many machines at once: ``sudo .venv/bin/python bench/simulated_machines.py [COUNT [KIND…]]``, 200 by default.

A private network on this host has a router (dnsmasq), our daemon with stand-ins for all boot files, and a station
where ``iluvatar-pxe simulate`` plays the machines, each by a card of its own with a lease of the router. Daemon and
machines share the cores. Prints percentiles for each stage; exits 1 when a machine does not come to its end.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path

from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.lab import Lab
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE
from iluvatar_pxe.lab.system.stand_ins import write_stand_ins

CACHE = Path(__file__).parents[1] / ".cache" / "iluvatar-pxe" / "lab"
COUNT = "200"
KINDS = ("bios", "uefi-x64", "uefi-x64-http", "ipxe", "pi4")
STATION = "machines"
PATIENCE = 600.0


def main() -> int:
    parser = ArgumentParser(description="many simulated machines at once")
    parser.add_argument("count", nargs="?", type=int, default=COUNT, help=f"of machines (default: {COUNT})")
    parser.add_argument("kinds", nargs="*", default=KINDS, help=f"of firmware (default: {' '.join(KINDS)})")
    words = parser.parse_args()
    return max(boot(str(words.count), kind) for kind in words.kinds)


def boot(count: str, kind: str) -> int:
    """Boot so many machines of a kind at once, in a network of their own; return 0 when all came to their end."""
    with Lab() as lab:
        server = Server(lab.network)
        write_stand_ins(lab.namespace.outside(server.fleet.parent), CACHE)
        server.start()
        lab.network.add_station(STATION, "10.77.0.3")
        return play(lab.namespace, STATION, kind, "--count", count, "--interface", INTERFACE)


def play(namespace: Namespace, station: str, *words: str) -> int:
    """Run ``iluvatar-pxe simulate`` on a station, print what it prints, and return its exit status."""
    argv = [sys.executable, "-m", "iluvatar_pxe", "simulate", *words]
    machines = namespace.start("machines", argv, network=station)
    status = machines.wait(PATIENCE)
    print(machines.output)
    return status


if __name__ == "__main__":
    sys.exit(main())
