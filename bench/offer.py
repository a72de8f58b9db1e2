"""What an OFFER costs with 10 machines in the inventory, and with 10,000: it should be the same.

Usage: python bench/offer.py [OFFERS]     (default: 20000)

From the datagram to the reply's bytes and the recorded stage, with a real fleet and a real database behind it;
without the kernel's share, which is the same for both. The two take turns, so that a busy moment hits both.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.log import configure_logging
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.configurations import Configurations, no_secrets
from iluvatar_pxe.provisioning.handout import FullDisclosure, Handout
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.tickets import Tickets
from iluvatar_pxe.provisioning.trust import NeighbourTrust
from iluvatar_pxe.replies.ipxe import Scripts
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.raspberry_pi import PiTexts
from iluvatar_pxe.servers.dhcp.proxy import Arrival, Reply, respond
from iluvatar_pxe.wire.dhcp import BOOTREQUEST, DhcpMessage, MessageType, Option, encode

FEW, MANY = 10, 10_000
ROUNDS = 20
FLEET = {
    "fleet.yaml": "rules: [{match: {arch: x86_64}, layer: arda}]\n",
    "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9, schematic: none}\n",
}
NEIGHBOURS: dict[IPv4Address, str] = {}
ARRIVAL = Arrival(
    links=Links(IPv4Address("10.77.0.2"), 8080),
    source=("0.0.0.0", 68),
    pxe_port=False,
    own_frame=True,
    server_port=67,
    client_port=68,
)


def main() -> None:
    configure_logging("warning", "console")
    offers = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    costs = asyncio.run(measure(offers))
    for count, microseconds in costs.items():
        print(f"{count:6} machines: {microseconds:6.1f} µs per OFFER")
    print(f"ratio: {costs[MANY] / costs[FEW]:.2f}")


async def measure(offers: int) -> dict[int, float]:
    """Return by number of machines the median cost of an OFFER in microseconds."""
    with TemporaryDirectory() as directory:
        inventories = {
            count: await inventory_with(count, Path(directory, f"{count}.db")) for count in (FEW, MANY)
        }
        store = await boot_files(Path(directory))
        booters = {count: booter_with(one, store) for count, one in inventories.items()}
        costs: dict[int, list[float]] = {count: [] for count in booters}
        messages = {count: cycle(discovers(count)) for count in booters}
        for _ in range(ROUNDS):
            for count, booter in booters.items():
                costs[count].append(cost(booter, messages[count], offers // ROUNDS))
                await asyncio.sleep(0)
        for inventory in inventories.values():
            await inventory.close()
    return {count: median(values) for count, values in costs.items()}


def cost(booter: Booter, messages: Iterator[bytes], offers: int) -> float:
    """Return what an OFFER costs, in microseconds."""
    batch = list(islice(messages, offers))
    started = time.perf_counter()
    for message in batch:
        reply = respond(message, ARRIVAL, booter.decide, lambda _: True)
        assert isinstance(reply, Reply)
        booter.journal.served(reply.decision, Stage.DISCOVER, reply.boot_file)
    return (time.perf_counter() - started) / offers * 1e6


async def boot_files(directory: Path) -> AssetStore:
    """Return a store of one program."""
    (directory / "assets" / "ipxe").mkdir(parents=True)
    (directory / "assets" / "ipxe" / "snponly.efi").write_bytes(b"program")
    store = AssetStore(directory / "assets")
    await store.refresh()
    return store


def booter_with(inventory: Inventory, store: AssetStore) -> Booter:
    """Return a booter with a fleet."""
    applied = Applied(parse_fleet(FLEET))
    return Booter(
        applied=applied,
        inventory=inventory,
        store=store,
        assigner=DatabaseAssigner(inventory),
        trust=NeighbourTrust(inventory, applied, NEIGHBOURS.get, lambda _: False),
        handout=Handout(Tickets(b"", time.monotonic), FullDisclosure(), Scripts({}), PiTexts({})),
        journal=Journal(inventory, applied),
        configurations=Configurations(around=_nowhere, secrets=no_secrets),
    )


async def _nowhere(client: IPv4Address) -> Surroundings:
    return Surroundings(here=client, network=IPv4Network(client))


async def inventory_with(count: int, file: Path) -> Inventory:
    """Return an inventory that has so many machines, all of which have booted before."""
    url = f"sqlite:///{file}"
    store = Store(url)
    store.open()
    machines = [machine(number) for number in range(count)]
    store.write(Batch(machines={one.id: one for one in machines}))
    store.close()
    inventory = Inventory(url)
    await inventory.open()
    assert len(inventory.snapshot.by_id) == count
    return inventory


def mac(number: int) -> bytes:
    return bytes.fromhex("525400") + number.to_bytes(3)


def machine(number: int) -> Machine:
    now = datetime.now(UTC)
    return Machine(
        id=uuid4(),
        macs=(mac(number).hex(":"),),
        generation=1,
        reached=Stage.CONFIG,
        furthest=Stage.CONFIG,
        first_seen=now,
        last_seen=now,
        firmware=Firmware.UEFI_PXE,
        uuid=uuid4(),
        serial=str(number),
        product="Bench",
    )


def discovers(count: int) -> Iterator[bytes]:
    """Return a DISCOVER of every machine of few, and of every tenth of many."""
    for number in range(0, count, 10 if count > FEW else 1):
        options = {
            Option.MESSAGE_TYPE: bytes((MessageType.DISCOVER,)),
            Option.CLIENT_ARCH: (7).to_bytes(2),
            Option.VENDOR_CLASS: b"PXEClient:Arch:00007:UNDI:003000",
        }
        pairs = tuple((int(code), value) for code, value in options.items())
        yield encode(DhcpMessage(op=BOOTREQUEST, xid=number, chaddr=mac(number), options=pairs))


if __name__ == "__main__":
    main()
