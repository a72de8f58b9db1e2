"""Stages are recorded and logged once; asking again is not news, fetching again is."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from support.booters import booters_of
from support.fleets import CONFIGURED, INITRAMFS, KERNEL, fleet_of

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.plan import CountDown, Hold, RunScript
from iluvatar_pxe.inventory.database.read_only import last_boots
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.booter import ONLY_LOOKS, Booter
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

NOBODY: dict[IPv4Address, str] = {}
"""A neighbour table."""
MAC = "52:54:00:77:00:01"
FIRMWARE = Sighting(mac=MAC, firmware=Firmware.UEFI_PXE)
IPXE = Sighting(mac=MAC, firmware=Firmware.IPXE)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")


@pytest.fixture
def booter(tmp_path: Path, inventory: Inventory) -> Booter:
    fleet = fleet_of(("named", MAC, "chain: hold\n"))
    return booters_of(fleet, inventory, AssetStore(tmp_path), NOBODY.get).real


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def record(booter: Booter, sighting: Sighting, stage: Stage, served: str) -> Machine:
    return booter.journal.served(booter.decide(sighting), stage, served)


def test_a_held_machine_that_asks_for_weeks_is_logged_once(booter: Booter, log: list[EventDict]) -> None:
    ids: set[UUID] = set()
    for _ in range(1000):
        record(booter, IPXE, Stage.FIRST_SCRIPT, "boot.ipxe")
        ids.add(record(booter, IPXE, Stage.SCRIPT, "hold").id)
    assert [line["stage"] for line in log] == ["first-script", "script"]
    assert {line["machine"] for line in log} == {"named"}
    assert len(ids) == 1


def test_another_answer_is_news(booter: Booter, log: list[EventDict]) -> None:
    for served in ("hold", "hold", "talos", "hold"):
        record(booter, IPXE, Stage.SCRIPT, served)
    assert [line["served"] for line in log] == ["hold", "talos"]


def test_firmware_that_repeats_itself_is_logged_once_a_boot(booter: Booter, log: list[EventDict]) -> None:
    for _ in range(2):
        for _ in range(4):
            record(booter, FIRMWARE, Stage.DISCOVER, "ipxe/snponly.efi")
        record(booter, FIRMWARE, Stage.NBP, "ipxe/snponly.efi")
    assert [(line["boot"], line["stage"]) for line in log] == [
        (1, "discover"),
        (1, "nbp"),
        (2, "discover"),
        (2, "nbp"),
    ]


def test_a_file_that_is_fetched_again_is_news(booter: Booter, log: list[EventDict]) -> None:
    machine = record(booter, FIRMWARE, Stage.DISCOVER, "ipxe/snponly.efi")
    for _ in range(2):
        booter.journal.fetched(machine, Stage.KERNEL, "kernel", size=5, milliseconds=1.25)
    assert [(line["bytes"], line["ms"]) for line in log[1:]] == [(5, 1.2), (5, 1.2)]


@pytest.mark.parametrize(
    "files",
    [
        {"fleet": "enrolment: {mode: join}\nrules: [{layer: arda}]\n", "machines": ()},
        {"fleet": "", "machines": (("named", MAC, ""),)},
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
async def test_who_only_observes_assigns_nothing(
    inventory: Inventory, tmp_path: Path, files: dict[str, Any], *, confirmed: bool
) -> None:
    await inventory.open()
    fleet = fleet_of(*files["machines"], fleet=files["fleet"], arda=CONFIGURED)
    for name in (KERNEL, INITRAMFS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(64))
    store = AssetStore(tmp_path)
    await store.refresh()
    real = booters_of(fleet, inventory, store, NOBODY.get).real
    asks = replace(IPXE, macs=(MAC,), arch=CpuArch.X86_64)
    record(real, asks, Stage.IPXE_DISCOVER, "boot.ipxe")
    held = (await replace(real, observes=True).settle(asks, "", confirmed=confirmed)).plan
    assert isinstance(held, Hold)
    assert ONLY_LOOKS in held.why
    assert inventory.snapshot.named("named") is None
    assert isinstance((await real.settle(asks, "", confirmed=confirmed)).plan, CountDown | RunScript)
    await inventory.close()


async def test_what_is_asked_in_anothers_name_is_on_record_once_a_boot(
    booter: Booter, inventory: Inventory, log: list[EventDict], tmp_path: Path
) -> None:
    await inventory.open()
    machine = record(booter, IPXE, Stage.IPXE_DISCOVER, "boot.ipxe")
    for _ in range(100):
        booter.journal.distrusted(machine, IPv4Address("10.0.0.9"), "/ipxe", "it is another's")
    await inventory.close()
    (boot,) = last_boots(f"sqlite:///{tmp_path / 'inventory.db'}", machine.id)
    assert [event.detail for event in boot.events if event.stage is Happening.UNTRUSTED] == [
        "/ipxe from 10.0.0.9"
    ]
    assert [line["event"] for line in log].count("untrusted") == 1


def test_a_flood_of_invented_machines_is_no_flood_of_log(booter: Booter, log: list[EventDict]) -> None:
    for number in range(500):
        mac = f"52:54:01:00:{number // 256:02x}:{number % 256:02x}"
        record(booter, Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.DISCOVER, "ipxe/snponly.efi")
    assert len(log) < 100


async def test_a_file_that_came_between_two_looks_is_opened(booter: Booter, tmp_path: Path) -> None:
    async def just_arrived(_: str) -> None:
        (tmp_path / "kernel").write_bytes(b"kernel")
        await booter.store.refresh()

    source = await replace(booter, arriving=just_arrived).open("kernel")
    assert source
    assert await source.read(0, 10) == b"kernel"
    await source.close()
