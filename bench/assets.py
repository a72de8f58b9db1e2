"""How fast boot files are served by HTTP, beside nginx in the same run: ``python -m bench.assets [--rounds N]``.

Each server has one core to itself, and what fetches another one. A file of 1 GB is fetched by one client, then by eight
at once, from the two servers in turns. Prints MB/s, and MB that a server serves in a second of its processor's time:
medians of the rounds, and of each round's ratio, so that a busy moment favours nobody. Needs nginx, and an otherwise
idle machine. Exits 1 when a goal is missed.
"""

import os
import selectors
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

from bench.asset_servers import NAME, servers
from bench.nginx import NGINX
from bench.own_network import enter_own_network
from bench.rows import Row, report
from bench.servers import HERE, OURS, Server

SIZE = 1_000_000_000
SHARE = 0.95
"""Of what nginx serves in the same time, at least; the processor's time is told beside it."""
_PIECE = 1 << 20
_REQUEST = f"GET /assets/{NAME} HTTP/1.1\r\nHost: {HERE}\r\nConnection: close\r\n\r\n".encode()


class Rate(NamedTuple):
    """MB a second: of the clock, and of the time in which the server had a processor."""

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
    enter_own_network()
    core, other = cores[:2]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left, as after Ctrl-C
    os.sched_setaffinity(0, {other})
    with TemporaryDirectory(prefix="bench-assets-") as place, servers(Path(place), SIZE, core) as running:
        rows = (row for clients in (1, 8) for row in measure(running, clients, rounds))
        return 0 if report(rows) else 1


def measure(running: Sequence[Server], clients: int, rounds: int) -> Iterator[Row]:
    """Tell what each server does for so many clients."""
    for server in running:
        fetch(server, 1)  # the file is in memory then
    found = [in_turn(running, clients) for _ in range(rounds)]
    for kind in Rate._fields:
        own, peer = ([getattr(one[name], kind) for one in found] for name in (OURS, NGINX))
        share = median(mine / other for mine, other in zip(own, peer, strict=True))
        of_core = ", for each second of the server's processor time" * (kind == "core")
        yield Row(
            what=f"HTTP 1 GB, {clients} client{'s' * (clients != 1)}{of_core}",
            ours=median(own),
            unit="MB/s",
            goal=SHARE if kind == "clock" else None,
            peer=median(own) / share,
            peer_name=NGINX,
        )


def in_turn(running: Sequence[Server], clients: int) -> Round:
    return {server.name: measured(server, clients) for server in running}


def measured(server: Server, clients: int) -> Rate:
    before = server.worked
    seconds = fetch(server, clients)
    megabytes = clients * SIZE / 1e6
    return Rate(megabytes / seconds, megabytes / (server.worked - before))


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
