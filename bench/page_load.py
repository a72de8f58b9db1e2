"""What people who watch cost those who boot: ``sudo .venv/bin/python bench/page_load.py [ROUNDS]`` (default: 20).

Twenty machines ask for a boot one after the other, ROUNDS times, alone and beside 200 streams of events and 50 clients
that ask for the page every second; prints how long they wait for an OFFER, and the ratio. The goal is a 99th percentile
below 5 ms beside them. Daemon, machines and clients share the cores of this host, each client group in a network
namespace with a card of its own. Then the list of 10,000 machines, half of them listed by files, is asked for as often by
HTTP on loopback, as the page and from the API, each time after a machine has changed; the goal is below 200 ms.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.fleets import fleet_of
from support.page_site import PageSite
from support.storm_site import ENVIRONMENT, LISTED, PATIENCE, StormSite, storm_site

from bench.booted import machine
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.store import Store

STREAMS, PAGES, STATIONS, MANY = 200, 50, 10, 10_000
LISTS = ("/", "/?words=arda", "/api/v1/machines")
SERVER, PORT = "10.77.0.2", "8080"
AS_UEFI = (4.0, 8.0)


def main() -> None:
    parser = ArgumentParser(description="what people who watch cost those who boot")
    parser.add_argument("rounds", nargs="?", type=int, default=20, help="of twenty machines (default: 20)")
    rounds: int = parser.parse_args().rounds
    stations = {f"watch{number}": f"10.77.0.{20 + number}" for number in range(STATIONS)}
    with storm_site(stations) as site:
        alone = offers(site, rounds)
        with watching(site, stations):
            beside = offers(site, rounds)
    print(f"OFFER alone: {told(alone)}")
    print(f"OFFER beside {STREAMS} streams and {PAGES} pages: {told(beside)}; goal: p99 below 5 ms")
    print(f"ratio of p99: {last(beside) / last(alone):.1f}")
    for path, taken in lists(rounds).items():
        print(f"list of {MANY} machines, {path}: {told(taken)}; goal: below 200 ms")


def offers(site: StormSite, rounds: int) -> list[float]:
    """Return in milliseconds how long each OFFER took."""
    return [wait for _ in range(rounds) for sent, wait in site.asks(LISTED, AS_UEFI) if sent]


@contextmanager
def watching(site: StormSite, stations: Iterable[str]) -> Iterator[None]:
    """Have all clients watch."""
    script = str(Path(__file__).with_name("page_watchers.py"))
    words = [SERVER, PORT, str(STREAMS // STATIONS), str(PAGES // STATIONS)]
    command = [sys.executable, script, *words]
    clients = [
        site.namespace.start(name, command, network=name, environment=ENVIRONMENT) for name in stations
    ]
    for client in clients:
        client.wait_for("READY", PATIENCE)
    yield
    for client in clients:
        client.stop()


def lists(rounds: int) -> dict[str, list[float]]:
    """Return by path in milliseconds how long each list took."""
    machines = [machine(number) for number in range(MANY)]
    files = [(f"arda-{number:05}", machines[number].macs[0], "layer: arda\n") for number in range(0, MANY, 2)]
    with TemporaryDirectory() as directory:
        store = Store(f"sqlite:///{Path(directory, 'inventory.db')}")
        store.open()
        store.write(Batch(machines={one.id: one for one in machines}))
        store.close()
        with PageSite(Path(directory), fleet_of(*files)) as site:
            return {path: [asked(site, path) for _ in range(rounds)] for path in LISTS}


def asked(site: PageSite, path: str) -> float:
    site.sees(LISTED[0])
    began = time.perf_counter()
    status, _ = site.get(path)
    assert status == HTTPStatus.OK
    return (time.perf_counter() - began) * 1000


def last(values: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(values, n=100)[98]


def told(values: Sequence[float]) -> str:
    return f"p50 {median(values):.1f} ms, p99 {last(values):.1f} ms, {len(values)} times"


if __name__ == "__main__":
    main()
