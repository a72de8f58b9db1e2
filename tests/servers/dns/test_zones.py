"""The zones follow everything that they are made of, and nothing is made while nothing changes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from support.fleets import fleet_of
from support.waiting import PATIENCE

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.servers.dns import zones as zones_module
from iluvatar_pxe.servers.dns.zones import Sources, Zones
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.types import Type

MAC = "52:54:00:00:00:01"
LISTED = fleet_of(("nas", MAC, "chain: hold\n"))
MOVED = fleet_of(("nas", MAC, "chain: hold\naddress: 10.77.0.60\n"))
LAN = IPv4Network("10.77.0.0/24")
HERE, THERE = (Interface("lan", 1, IPv4Address(f"10.77.0.{number}"), LAN) for number in (2, 3))
ROUNDS = 200
"""Of the event loop. Without a pause between two looks, zones that look by themselves would do so in each."""


class Bench:
    """Zones in this event loop, whose sources a test changes."""

    def __init__(self, directory: Path) -> None:
        self.inventory = Inventory(f"sqlite:///{directory / 'inventory.db'}")
        self.fleet = LISTED
        self.alive: frozenset[IPv4Address] = frozenset()
        self.changed = Changed()
        self.looks = 0
        self.looked = asyncio.Event()
        self.forgotten = asyncio.Event()
        changes = (self.inventory.renamed, self.changed)
        sources = Sources(self._look, lambda: self.fleet, lambda: self.alive, changes)
        self.zones = Zones(sources, self.forgotten.set)
        self.zones.serve([HERE])

    def _look(self) -> Snapshot:
        self.looks += 1
        self.looked.set()
        return self.inventory.snapshot

    def see_at(self, *lasts: int) -> None:
        for last in lasts:
            sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, address=IPv4Address(f"10.77.0.{last}"))
            self.inventory.observe(sighting, Stage.SCRIPT, vouched=True)

    def adopt(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.changed.tell()

    def find_alive(self, *addresses: str) -> None:
        self.alive = frozenset(map(IPv4Address, addresses))
        self.changed.tell()

    def addresses(self, name: str = "nas", interface: Interface = HERE) -> list[str]:
        found = self.zones.at(interface.address).find(name_of(f"{name}.lab.home.arpa"), Type.A)
        return [str(one.data) for one in found.answers] if found else []

    async def followed(self, change: Callable[[], object]) -> None:
        """Make a change, and wait until other zones are in force."""
        self.forgotten.clear()
        change()
        async with asyncio.timeout(PATIENCE):
            await self.forgotten.wait()

    async def looks_of_its_own(self) -> int:
        """Return how often the zones look while nothing changes; none are being made when this is called."""
        before = self.looks
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        return self.looks - before

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.zones.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(zones_module, "LOOK_SECONDS", 0)
    bench = Bench(tmp_path)
    async with bench.running():
        yield bench


async def test_they_follow_every_source(bench: Bench) -> None:
    assert bench.addresses() == []
    await bench.followed(lambda: bench.see_at(50))
    assert bench.addresses() == ["10.77.0.50"]
    await bench.followed(lambda: bench.adopt(MOVED))
    assert bench.addresses() == ["10.77.0.60"]
    await bench.followed(lambda: bench.find_alive("10.77.0.60"))
    await bench.followed(lambda: bench.zones.serve([HERE, THERE]))
    assert bench.addresses("pxe", THERE) == ["10.77.0.3"]


async def test_nothing_is_looked_at_while_nothing_changes(bench: Bench) -> None:
    await bench.followed(lambda: bench.see_at(50))
    assert await bench.looks_of_its_own() == 0


async def test_a_machine_that_is_only_heard_of_again_is_no_reason_to_look(bench: Bench) -> None:
    await bench.followed(lambda: bench.see_at(50))
    await bench.looks_of_its_own()
    before = bench.looks
    for _ in range(20):
        bench.see_at(50)
        await bench.looks_of_its_own()
    assert bench.looks == before


async def test_many_changes_in_a_row_are_looked_at_once(bench: Bench) -> None:
    await bench.followed(lambda: bench.see_at(50))
    before = bench.looks
    await bench.followed(lambda: bench.see_at(*range(51, 200)))
    assert bench.addresses() == ["10.77.0.199"]
    assert await bench.looks_of_its_own() == 0
    assert bench.looks == before + 1


async def test_a_change_while_zones_are_made_is_followed_too(bench: Bench) -> None:
    await bench.followed(lambda: bench.see_at(50))
    bench.looked.clear()
    bench.see_at(51)
    async with asyncio.timeout(PATIENCE):
        await bench.looked.wait()
    await bench.followed(lambda: bench.see_at(52))
    while bench.addresses() != ["10.77.0.52"]:
        await bench.followed(lambda: None)


async def test_interfaces_that_change_back_while_zones_are_made_bring_no_older_zones_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.followed(lambda: bench.see_at(50))
    bench.looked.clear()
    bench.see_at(51)
    async with asyncio.timeout(PATIENCE):
        await bench.looked.wait()
    monkeypatch.setattr(zones_module, "LOOK_SECONDS", 3600)
    bench.see_at(52)
    bench.zones.serve([THERE])
    bench.zones.serve([HERE])
    await asyncio.get_running_loop().shutdown_default_executor()  # the zones of the look before are made
    assert await bench.looks_of_its_own() == 0
    assert bench.addresses() == ["10.77.0.52"]


async def test_after_a_look_the_next_one_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones_module, "LOOK_SECONDS", 3600)
    bench = Bench(tmp_path)
    async with bench.running():
        await bench.followed(lambda: bench.see_at(50))
        bench.see_at(51)
        assert await bench.looks_of_its_own() == 0
        assert bench.addresses() == ["10.77.0.50"]
