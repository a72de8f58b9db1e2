"""How fast DNS is, beside dnsmasq and unbound in the same run: ``python -m bench.dns [--seconds N]``.

Each server has one core to itself, dnsperf another one; all are asked the same questions, in turns. Tells answers per
second of a whole core, so that a busy moment, or dnsperf at its limit, favours nobody; how long answers take while all
are asked as often, half as often as the slowest can answer; and what a flood of random names does to memory. How long
answers take is worth something only where nothing else runs. Needs dnsperf, dnsmasq and unbound. Exits 1 when a goal is
missed.
"""

import os
import shutil
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

from bench.dns_load import Load, Rate, flood, floods, loads, paced, throughput, warm
from bench.dns_servers import DNSMASQ, UNBOUND, servers
from bench.rows import Row, report
from bench.servers import Server

ROUNDS = 3
SHARE = 1.0
"""Of what dnsmasq answers, at least."""
P99_MS = 2.0
GROWTH_MIB = 8.0
"""What the second half of the flood may add to memory, at most."""
_TIMED = ("local names", "cached names")
"""Loads under which it is measured how long answers take."""

Rates = Mapping[str, Rate]
"""By server."""
_Found = TypeVar("_Found")


def main() -> int:
    parser = ArgumentParser(description="DNS beside dnsmasq and unbound")
    parser.add_argument("--seconds", type=float, default=0.6, help="of each measurement (default: 0.6)")
    seconds: float = parser.parse_args().seconds
    cores = sorted(os.sched_getaffinity(0))
    missing = [name for name in ("taskset", "dnsperf", DNSMASQ, UNBOUND) if not shutil.which(name)]
    if missing or len(cores) < 2:
        print(f"needs {', '.join(missing) or 'two cores'}; see PACKAGES in the Makefile", file=sys.stderr)
        return 2
    core, other = cores[:2]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left, as after Ctrl-C
    os.sched_setaffinity(0, {other})
    with TemporaryDirectory(prefix="bench-dns-") as directory:
        asked, once = loads(Path(directory)), floods(Path(directory))
        with servers(Path(directory), core, other) as running:
            met = [report(measure(running, load, seconds)) for load in asked]
            met.append(report([memory(running[-1], once)]))
    return 0 if all(met) else 1


def measure(running: Sequence[Server], load: Load, seconds: float) -> Iterator[Row]:
    """Return the figures of one load, for ours, which is the last of ``running``, beside each of the others."""
    for server in running:
        warm(server, load)
    rates = {
        name: sorted(several, key=lambda rate: rate.of_whole_core)[ROUNDS // 2]
        for name, several in in_turns(running, lambda server: throughput(server, load, seconds)).items()
    }
    yield from tell_rates(load, running, rates)
    if load.name in _TIMED:
        yield from tell_times(load, running, rates, seconds)


def in_turns(running: Sequence[Server], ask: Callable[[Server], _Found]) -> dict[str, list[_Found]]:
    """Return what is found of each server, by name."""
    found: dict[str, list[_Found]] = {server.name: [] for server in running}
    for _ in range(ROUNDS):
        for server in running:
            found[server.name].append(ask(server))
    return found


def tell_rates(load: Load, running: Sequence[Server], rates: Rates) -> Iterator[Row]:
    *peers, ours = running
    for peer in peers:
        is_rival = peer.name == DNSMASQ
        yield Row(
            what=f"DNS {load.name}" + ("" if is_rival else f", beside {peer.name}"),
            ours=rates[ours.name].of_whole_core,
            unit="answers/s of a core",
            goal=SHARE if is_rival else None,
            peer=rates[peer.name].of_whole_core,
            peer_name=peer.name,
        )


def tell_times(load: Load, running: Sequence[Server], rates: Rates, seconds: float) -> Iterator[Row]:
    dnsmasq, *_, ours = running
    rate = min(rates[server.name].of_whole_core for server in (dnsmasq, ours)) / 2
    found = in_turns((dnsmasq, ours), lambda server: paced(server, load, rate, seconds))
    what = f"DNS {load.name} at half of the slower one's rate"
    p99, p99_of_peer = (
        median(pace.within(0.99) for pace in found[server.name]) for server in (ours, dnsmasq)
    )
    work, work_of_peer = (median(pace.work for pace in found[server.name]) for server in (ours, dnsmasq))
    middle = median(pace.within(0.5) for pace in found[ours.name])
    yield Row(what=f"{what}, 99 % within", ours=p99, unit="ms", goal=P99_MS, less_is_better=True)
    yield Row(
        what=f"{what}, 99 % within, beside {dnsmasq.name}",
        ours=p99,
        unit="ms",
        goal=None,
        peer=p99_of_peer,
        peer_name=dnsmasq.name,
        less_is_better=True,
    )
    yield Row(what=f"{what}, median", ours=middle, unit="ms", goal=None, less_is_better=True)
    yield Row(
        what=f"{what}, processor time of an answer",
        ours=work,
        unit="µs",
        goal=None,
        peer=work_of_peer,
        peer_name=dnsmasq.name,
        less_is_better=True,
    )


def memory(server: Server, once: Sequence[Load]) -> Row:
    """Return what the second half of a flood of random names adds to memory."""
    resident = []
    for load in once:
        flood(server, load)
        resident.append(server.resident)
    half, whole = resident
    return Row(
        what="DNS memory that 50,000 random names add to 50,000",
        ours=whole - half,
        unit="MiB",
        goal=GROWTH_MIB,
        less_is_better=True,
    )


if __name__ == "__main__":
    sys.exit(main())
