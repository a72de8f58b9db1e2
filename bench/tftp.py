"""How fast files are sent by TFTP, beside dnsmasq and atftpd in the same run: ``python -m bench.tftp [--rounds N]``.

The servers have one core, the clients another; all are asked for the same, in turns. Tells MB/s, and MB that a server
sends in a second of its core: that figure does not depend on the clients, nor on what else the host does. The clients are
bench/tftp_client.c, compiled here: a client in Python would cost more than any server. Needs root (dnsmasq listens on port
69 alone), cc, dnsmasq and atftpd. Exits 1 when a goal is missed.
"""

import os
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.rows import Row, report
from bench.servers import OURS, Server
from bench.tftp_servers import ATFTPD, DNSMASQ, LARGE, SMALL, address_of, servers

ROUNDS = 3
CLIENT = Path(__file__).with_name("tftp_client.c")
BLKSIZE = 1428
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for, the server that is best at it, and what ours is to be of that."""

    what: str
    file: str
    clients: int
    windowsize: int
    peer: str
    goal: float


LOADS = (
    Load("TFTP 60 MB, one client, lock-step", LARGE, 1, 1, DNSMASQ, 1.0),
    Load("TFTP 60 MB, one client, windowsize 16", LARGE, 1, 16, ATFTPD, 2.0),
    Load("TFTP 60 MB, one client, windowsize 64", LARGE, 1, 64, ATFTPD, 2.0),
    Load("TFTP 2 MB × 64 clients, lock-step", SMALL, 64, 1, DNSMASQ, 0.8),  # noqa: RUF001
    Load("TFTP 2 MB × 64 clients, windowsize 8", SMALL, 64, 8, ATFTPD, 1.5),  # noqa: RUF001
)


@dataclass(frozen=True, slots=True)
class Rate:
    """MB in a second, by the clock and of the server's core."""

    per_second: float
    per_core_second: float


def main() -> int:
    parser = ArgumentParser(description="TFTP beside dnsmasq and atftpd")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each load (default: {ROUNDS})")
    rounds: int = parser.parse_args().rounds
    cores = sorted(os.sched_getaffinity(0))
    missing = [name for name in ("cc", "taskset", DNSMASQ, ATFTPD) if not shutil.which(name)]
    if missing or len(cores) < 2 or os.geteuid():
        print(
            f"needs {', '.join(missing) or 'two cores, and root'}; see PACKAGES in the Makefile",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left, as after Ctrl-C
    os.sched_setaffinity(0, {cores[1]})
    with TemporaryDirectory(prefix="bench-tftp-") as directory:
        client = Path(directory, "client")
        subprocess.run(["cc", "-O2", "-o", client, CLIENT], check=True)
        with servers(Path(directory), cores[0]) as running:
            rows = [row for load in LOADS for row in measure(client, running, load, rounds)]
    return 0 if report(rows) else 1


def measure(client: Path, running: Mapping[str, Server], load: Load, rounds: int) -> Iterator[Row]:
    """Have both servers send the same, in turns."""
    found: dict[str, list[Rate]] = {OURS: [], load.peer: []}
    for _ in range(rounds):
        for name, rates in found.items():
            rates.append(fetch(client, running[name], load))
    peer = _median(found[load.peer])
    mine = _median(found[OURS])
    yield _row(load.what, mine.per_second, peer.per_second, load, load.goal)
    yield _row(f"{load.what}, of a core", mine.per_core_second, peer.per_core_second, load, None)


def fetch(client: Path, server: Server, load: Load) -> Rate:
    """Let the clients fetch the file once; exits if they do not get it in whole."""
    words = [address_of(server), server.port, load.file, BLKSIZE, load.windowsize, load.clients]
    before = server.worked
    fetched = subprocess.run([client, *map(str, words)], check=False, capture_output=True, text=True)
    if fetched.returncode:
        sys.exit(f"{server.name}, {load.what}: {fetched.stderr}")
    size, seconds = map(float, fetched.stdout.split()[:2])
    return Rate(size / seconds / _MB, size / (server.worked - before) / _MB)


def _median(rates: Sequence[Rate]) -> Rate:
    return Rate(median(one.per_second for one in rates), median(one.per_core_second for one in rates))


def _row(what: str, mine: float, peer: float, load: Load, goal: float | None) -> Row:
    return Row(what=what, ours=mine, unit="MB/s", goal=goal, peer=peer, peer_name=load.peer)


if __name__ == "__main__":
    sys.exit(main())
