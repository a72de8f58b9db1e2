"""OFFERs over the wire, of the daemon and of dnsmasq as a proxy: ``sudo .venv/bin/python -m bench.dhcp``.

Each serves a segment of its own, on one core, and a client on the other one; they take turns. The daemon has a fleet that
lists every machine, and an inventory in which all of them have booted before; dnsmasq has one boot file for whoever asks,
and writes nothing. The client, Python too, sends prebuilt frames, and may be what limits dnsmasq: so what an OFFER costs
the server's processor is measured beside it. Each machine has asked before what is measured, but for the burst.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench.booted import mac, machine
from bench.dhcp_client import OUTSTANDING, PER_SECOND
from bench.rows import Row, report
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.lab.daemon import STATE, Server
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS, Network

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE.parent / 'tests'}"}
SERVER_CORE, CLIENT_CORE = 0, 1
STATION = "machines"
FEW, SOME, MANY = 10, 1_000, 10_000
TURNS, SECONDS, PACED_SECONDS = 3, 1.5, 4.0
PASSES = 3
"""Times that each machine asks before what is measured: from then on it repeats itself."""
BURST_SECONDS = 10.0
LONGEST = 60.0
DNSMASQ = (
    "dnsmasq",
    "--no-daemon",
    "--conf-file=/dev/null",
    "--user=root",
    "--port=0",
    "--quiet-dhcp",
    f"--interface={INTERFACE}",
    f"--dhcp-range={SERVER_ADDRESS},proxy",
    "--pxe-service=x86-64_EFI,iPXE,ipxe/snponly.efi",
    "--pxe-service=BC_EFI,iPXE,ipxe/snponly.efi",
)


@dataclass(frozen=True)
class Site:
    """A server in a segment, and the station from which machines ask; ``count`` of them at most."""

    namespace: Namespace
    server: Process
    count: int

    def ask(self, how: str, amount: float, count: int = 0) -> dict[str, float]:
        """Let machines ask, and return what the client measured, and the seconds for which the server worked."""
        words = [INTERFACE, how, str(amount), str(count or self.count)]
        command = [
            "taskset",
            "--cpu-list",
            str(CLIENT_CORE),
            sys.executable,
            str(HERE / "dhcp_client.py"),
            *words,
        ]
        before = self._worked()
        client = self.namespace.start(f"client-{how}", command, network=STATION, environment=ENVIRONMENT)
        if client.wait(LONGEST) != 0:
            sys.exit(client.tail())
        found: dict[str, float] = json.loads(client.output.splitlines()[-1])
        return found | {"worked": self._worked() - before}

    def _worked(self) -> float:
        """Return the seconds of processor time of all its threads, also of those that have ended (proc_pid_stat(5))."""
        user, system = Path(f"/proc/{self.server.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    report(beside_dnsmasq())
    report(with_silent_machines())


def beside_dnsmasq() -> Iterator[Row]:
    with our_site(SOME) as ours, dnsmasq_site(SOME) as peer:
        sites = (ours, peer)
        bursts = [site.ask("burst", BURST_SECONDS) for site in sites]
        yield Row(
            what="a burst of 1,000 DISCOVERs: lost",
            ours=bursts[0]["lost"],
            unit="",
            goal=0,
            less_is_better=True,
        )
        yield Row(what="the same: lost by dnsmasq", ours=bursts[1]["lost"], unit="", goal=None)
        yield Row(what="the same: the last OFFER after", ours=bursts[0]["milliseconds"], unit="ms", goal=None)
        for site in sites:
            site.ask("passes", PASSES)
        rounds = [[site.ask("outstanding", SECONDS) for site in sites] for _ in range(TURNS)]
        rates = [median(one[side]["per_second"] for one in rounds) for side in (0, 1)]
        costs = [median(one[side]["answered"] / one[side]["worked"] for one in rounds) for side in (0, 1)]
        what = f"OFFERs/s, {OUTSTANDING} outstanding, 1,000 listed machines"
        yield Row(what=what, ours=rates[0], unit="/s", goal=0.4, peer=rates[1], peer_name="dnsmasq")
        what = "OFFERs for each second of the server's processor"
        yield Row(what=what, ours=costs[0], unit="/s", goal=None, peer=costs[1], peer_name="dnsmasq")
        paced = [site.ask("paced", PACED_SECONDS) for site in sites]
        what = f"OFFER's 99th percentile at {PER_SECOND:,}/s, 1,000 machines"
        yield Row(what=what, ours=paced[0]["p99"], unit="ms", goal=1.5, less_is_better=True)
        yield Row(what="the same of dnsmasq", ours=paced[1]["p99"], unit="ms", goal=None)


def with_silent_machines() -> Iterator[Row]:
    """The same ten machines ask in both; then one in ten of many."""
    with our_site(FEW) as few, our_site(MANY) as many:
        turns = ((few, FEW), (many, FEW), (many, SOME))
        for site, count in turns:
            site.ask("passes", PASSES, count)
        rounds = [[site.ask("outstanding", SECONDS, count) for site, count in turns] for _ in range(TURNS)]
        rates = [median(one[turn]["per_second"] for one in rounds) for turn in range(len(turns))]
        costs = [
            median(one[turn]["answered"] / one[turn]["worked"] for one in rounds)
            for turn in range(len(turns))
        ]
        for turn, asking in ((1, "ten"), (2, "1,000")):
            what = f"OFFERs/s with 10,000 machines in the inventory, {asking} of which ask"
            yield Row(what=what, ours=rates[turn], unit="/s", goal=0.9, peer=rates[0], peer_name="with 10:")
            what = f"the same for each second of the processor, {asking} of which ask"
            yield Row(what=what, ours=costs[turn], unit="/s", goal=None, peer=costs[0], peer_name="with 10:")


@contextmanager
def our_site(count: int) -> Iterator[Site]:
    """Run the daemon, with a fleet that lists so many machines, all of which have booted before."""
    with segment() as (namespace, network):
        server = Server(network)
        program = namespace.outside(server.assets) / "ipxe" / "snponly.efi"
        program.parent.mkdir()
        program.write_bytes(b"MZ" + bytes(1 << 18))
        server.write_fleet({f"machines/m{number:05}.yaml": listed(number) for number in range(count)})
        fill(namespace.outside(STATE), count)
        daemon = server.start()
        pin(daemon.pid)
        yield Site(namespace, daemon, count)


@contextmanager
def dnsmasq_site(count: int) -> Iterator[Site]:
    with segment() as (namespace, network):
        network.add_station("server", SERVER_ADDRESS)
        peer = namespace.start("dnsmasq", DNSMASQ, network="server")
        peer.wait_for("started", LONGEST)
        pin(peer.pid)
        yield Site(namespace, peer, count)


@contextmanager
def segment() -> Iterator[tuple[Namespace, Network]]:
    with ExitStack() as stack:
        namespace = stack.enter_context(Namespace())
        network = Network(namespace)
        network.add_station(STATION, "10.77.0.3")
        yield namespace, network


def listed(number: int) -> bytes:
    return f'match:\n macs: ["{mac(number).hex(":")}"]\nintent: local\n'.encode()


def fill(state: Path, count: int) -> None:
    """Make the database of an inventory in which so many machines have booted."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "inventory.db")
        store = Store(f"sqlite:///{file}")
        store.open()
        store.write(Batch(machines={one.id: one for one in map(machine, range(count))}))
        store.close()
        state.mkdir(mode=0o700)
        shutil.copy(file, state / file.name)


def pin(pid: int) -> None:
    """Let a process have one core, with all its threads, and those that they start."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {SERVER_CORE})


if __name__ == "__main__":
    main()
