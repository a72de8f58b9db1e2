"""How fast boot files are served by HTTP, beside nginx in the same run: ``python bench/assets.py [--rounds N]``.

Each server has one core to itself, and what fetches another one. A file of 1 GB is fetched by one client, then by eight
at once, from the two servers in turns. Prints GB/s, and GB that a server serves in a second of its processor's time:
medians of the rounds, and of each round's ratio, so that a busy moment favours nobody. Needs nginx, and an otherwise
idle machine. Exits 1 when a goal is missed.

Run by root it has a network of its own, without BBR: that paces loopback by guesses, at a tenth of its speed, and rounds
differ by a factor of ten.
"""

import os
import selectors
import shlex
import shutil
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.asset_servers import NAME, NGINX, servers
from bench.servers import HERE, OURS, Server

SIZE = 1_000_000_000
SHARE = 0.95
"""Of what nginx serves in the same time, at least; the processor's time is told beside it."""
_OWN_NETWORK = "ip link set lo up && echo reno >/proc/sys/net/ipv4/tcp_congestion_control && exec "
_INSIDE = "BENCH_OWN_NETWORK"
"""Set where this runs in it."""
_PIECE = 1 << 20
_REQUEST = f"GET /assets/{NAME} HTTP/1.1\r\nHost: {HERE}\r\nConnection: close\r\n\r\n".encode()


class Rate(NamedTuple):
    """GB a second: of the clock, and of the time in which the server had a processor."""

    clock: float
    core: float


Round = Mapping[str, Rate]
"""By server."""


def main() -> int:
    parser = ArgumentParser(description="boot files by HTTP, beside nginx")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (default: 5)")
    rounds: int = parser.parse_args().rounds
    cores = sorted(os.sched_getaffinity(0))
    missing = [name for name in ("taskset", NGINX) if not shutil.which(name)]
    if missing or len(cores) < 2:
        print(f"needs {', '.join(missing) or 'two cores'}", file=sys.stderr)
        return 2
    if os.geteuid() == 0 and _INSIDE not in os.environ:
        again = shlex.join([sys.executable, *sys.argv])
        os.execvpe(
            "unshare", ["unshare", "--net", "sh", "-c", _OWN_NETWORK + again], os.environ | {_INSIDE: "1"}
        )
    core, other = cores[:2]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left, as after Ctrl-C
    os.sched_setaffinity(0, {other})
    with TemporaryDirectory(prefix="bench-assets-") as place, servers(Path(place), SIZE, core) as running:
        missed = [line for clients in (1, 8) for line in measure(running, clients, rounds)]
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


def measure(running: Sequence[Server], clients: int, rounds: int) -> Iterator[str]:
    """Print what each server does for so many clients; return the goal that is missed, if it is, in words."""
    for server in running:
        fetch(server, 1)  # the file is in memory then
    found = [in_turn(running, clients) for _ in range(rounds)]
    for kind in Rate._fields:
        by_server = {name: [getattr(one[name], kind) for one in found] for name in (OURS, NGINX)}
        share = median(ours / nginx for ours, nginx in zip(*by_server.values(), strict=True))
        told = ", ".join(f"{name} {median(rates):.2f}" for name, rates in by_server.items())
        print(
            f"{clients} client{'s' * (clients != 1)}, GB/s of the {kind}: {told}; ratio {share:.2f}",
            flush=True,
        )
        if kind == "clock" and share < SHARE:
            yield f"{share:.2f} of nginx, with {clients}, not {SHARE}"


def in_turn(running: Sequence[Server], clients: int) -> Round:
    return {server.name: measured(server, clients) for server in running}


def measured(server: Server, clients: int) -> Rate:
    before = server.worked
    seconds = fetch(server, clients)
    gigabytes = clients * SIZE / 1e9
    return Rate(gigabytes / seconds, gigabytes / (server.worked - before))


def fetch(server: Server, clients: int) -> float:
    """Return the seconds that so many clients take to fetch the file, all at once. What comes is thrown away."""
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        left = {_asking(server, selector): SIZE for _ in range(clients)}
        scratch = bytearray(_PIECE)
        while left:
            for key, _ in selector.select(60):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                size = client.recv_into(scratch, _PIECE, socket.MSG_TRUNC)
                left[client] -= size
                if not size:
                    selector.unregister(client)
                    client.close()
                    if left.pop(client) > 0:
                        sys.exit(f"{server.name} sent less than the file")
    return time.perf_counter() - started


def _asking(server: Server, selector: selectors.BaseSelector) -> socket.socket:
    client = socket.create_connection((HERE, server.port), 60)
    client.sendall(_REQUEST)
    selector.register(client, selectors.EVENT_READ)
    return client


if __name__ == "__main__":
    sys.exit(main())
