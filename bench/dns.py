"""How fast DNS is, beside dnsmasq and unbound in the same run: ``python bench/dns.py [--seconds N]``.

Each server has one core to itself, dnsperf another one; all are asked the same questions, in turns. Tells answers per
second, how long answers take at half of that load, and what a flood of random names does to memory. Ratios are of
answers per second of a whole core, so that a busy moment, or dnsperf at its limit, favours nobody; how long answers take
is worth something only where nothing else runs. Needs dnsperf, dnsmasq and unbound. Exits 1 when a goal is missed.
"""

import os
import shutil
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.dns_load import FLOOD, Load, Rate, flood, floods, latencies, loads, throughput, warm
from bench.dns_servers import DNSMASQ, UNBOUND, servers
from bench.servers import OURS, Server

ROUNDS = 3
SHARE = 0.7
"""Of what dnsmasq answers, at least, for names that are known or remembered."""
P99_MS = 2.0
GROWTH_MIB = 8.0
"""What the second half of the flood may add to memory, at most."""
_GOALS = ("local", "cached")

Rates = Mapping[tuple[str, str], Rate]
"""By load and server."""


def main() -> int:
    parser = ArgumentParser(description="DNS beside dnsmasq and unbound")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement (default: 1.5)")
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
            missed = [*measure(running, asked, seconds), *memory(running[-1], once)]
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


def measure(running: Sequence[Server], asked: Sequence[Load], seconds: float) -> Iterator[str]:
    """Print rates and latencies; return the goals that are missed, in words."""
    for server in running:
        for load in asked:
            warm(server, load)
    rates = {
        (load.name, server.name): _median(several)
        for load in asked
        for server, several in in_turns(running, load, seconds)
    }
    yield from tell_rates(rates, [load.name for load in asked])
    yield from tell_latencies(running, [load for load in asked if load.name in _GOALS], rates, seconds)


def in_turns(running: Sequence[Server], load: Load, seconds: float) -> Iterable[tuple[Server, list[Rate]]]:
    found: dict[str, list[Rate]] = {server.name: [] for server in running}
    for _ in range(ROUNDS):
        for server in running:
            found[server.name].append(throughput(server, load, seconds))
    return [(server, found[server.name]) for server in running]


def _median(rates: list[Rate]) -> Rate:
    return sorted(rates, key=lambda rate: rate.of_whole_core)[len(rates) // 2]


def tell_rates(rates: Rates, names: Sequence[str]) -> Iterator[str]:
    print(f"{'':15} {'':13} answers/s  share of core  µs/answer  of dnsmasq  of unbound")
    for (load, server), rate in rates.items():
        of_dnsmasq, of_unbound = (ratio(rates, load, server, peer) for peer in (DNSMASQ, UNBOUND))
        print(
            f"{load:15} {server:13} {rate.per_second:9,.0f} {rate.share:14.0%} {1e6 / rate.of_whole_core:10.1f}"
            f" {of_dnsmasq:11.2f} {of_unbound:11.2f}"
        )
    for load in names:
        share = ratio(rates, load, OURS, DNSMASQ)
        if load in _GOALS and share < SHARE:
            yield f"{load}: {share:.2f} of what dnsmasq answers, wanted {SHARE}"


def ratio(rates: Rates, load: str, server: str, peer: str) -> float:
    """Compare what each answers in a second of a whole core."""
    return rates[load, server].of_whole_core / rates[load, peer].of_whole_core


def tell_latencies(
    running: Sequence[Server], asked: Sequence[Load], rates: Rates, seconds: float
) -> Iterator[str]:
    print(f"\n{'':15} {'':13} {'at answers/s':>12} {'median ms':>10} {'99 % ms':>10}")
    by_name = {server.name: server for server in running}
    for load in asked:
        for name, whose in ((DNSMASQ, DNSMASQ), (OURS, DNSMASQ), (OURS, OURS)):
            rate = rates[load.name, whose].of_whole_core / 2
            rounds = [latencies(by_name[name], load, rate, seconds) for _ in range(ROUNDS)]
            middle, p99 = (median(one[int(len(one) * share)] for one in rounds) for share in (0.5, 0.99))
            print(f"{load.name:15} {name:13} {rate:12,.0f} {middle:10.3f} {p99:10.3f}")
            if name == OURS and p99 >= P99_MS:
                yield f"{load.name}: 99 % of answers within {p99:.1f} ms at {rate:,.0f}/s, wanted {P99_MS} ms"


def memory(server: Server, once: Sequence[Load]) -> Iterator[str]:
    """Print what random names do to memory; return the goal that is missed, in words."""
    resident = [server.resident]
    for load in once:
        flood(server, load)
        resident.append(server.resident)
    before, half, whole = resident
    print(
        f"\nmemory of {server.name}: {before:.1f} MiB; {half:.1f} after {FLOOD // 2:,} random names,"
        f" {whole:.1f} after {FLOOD:,}"
    )
    if whole - half > GROWTH_MIB:
        yield f"memory grows: {whole - half:.1f} MiB by the second half of the flood, wanted {GROWTH_MIB}"


if __name__ == "__main__":
    sys.exit(main())
