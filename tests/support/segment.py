"""A program on a segment with a neighbour, in network namespaces: what it says, line by line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, Network

ROOT = Path(__file__).parents[2]
HERE, NEIGHBOUR = "10.77.0.2", "10.77.0.9"


class Segment:
    """Stations ``here`` and ``neighbour``."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        network = Network(namespace)
        for name, address in (("here", HERE), ("neighbour", NEIGHBOUR)):
            network.add_station(name, address)

    @property
    def mac(self) -> str:
        """The neighbour's."""
        return self.run("cat", f"/sys/class/net/{INTERFACE}/address").strip()

    def run(self, *words: str) -> str:
        """Run a command at the neighbour."""
        return self.namespace.run(list(words), network="neighbour")

    def resolver(self, station: str, address: str) -> None:
        """Have dnsmasq at a station give every name an address."""
        argv = ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]
        argv += ["--user=root", "--bind-interfaces", f"--interface={INTERFACE}", f"--address=/#/{address}"]
        argv += ["--log-facility=-", "--pid-file="]
        self.namespace.start(f"resolver-{station}", argv, network=station).wait_for("started", 30.0)

    def said_by(self, script: str) -> list[str]:
        """Run a program here, and return what it prints."""
        path = f"PYTHONPATH={ROOT}:{ROOT}/tests"
        command = ["env", path, sys.executable, "-W", "error", "-c", script]
        return self.namespace.run(command, network="here").splitlines()


@contextmanager
def segment() -> Iterator[Segment]:
    """Make it; needs root."""
    with Namespace() as namespace:
        yield Segment(namespace)
