"""A machine in maintenance mode tells its hardware and gets its configuration, unless its disk would be a guess.

The machines are stand-ins for Talos; the daemon's client, its inventory and its decisions are real.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from cProfile import Profile
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from support.booters import booters_of, on_loopback
from support.fleets import ARDA, INITRAMFS, KERNEL, fleet_of
from support.talos.cluster import VERSIONS, Cluster, new_bundle
from support.talos.hardware import Disk
from support.talos.machine import Machine as StandIn
from support.waiting import until

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.install import choice_words, disk_for, needs_inspection
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role, Wipe
from iluvatar_pxe.provisioning import inspection, maintenance
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.inspection import Inspector
from iluvatar_pxe.provisioning.maintenance import Maintenance, Waiting
from iluvatar_pxe.provisioning.silent_machines import SilentMachines
from iluvatar_pxe.provisioning.talos_events import TalosEvents
from iluvatar_pxe.values import replace

MAC = "52:54:00:00:00:01"
LISTED = "role: worker\n"
NAMED = fleet_of(("one", MAC, f"{LISTED}disk: {{serial: SERIAL1}}\n"))
UUID_1, OTHER_UUID = UUID("4c4c4544-0000-1000-8000-000000000001"), "4c4c4544-0000-1000-8000-000000000002"
FULL = [Disk("sda", serial="SERIAL1", holds=("ext4",))]
TWINS = [Disk("sda", serial="SERIAL1"), Disk("sdb", serial="SERIAL2")]


@dataclass
class Site:
    """A daemon's parts, and one machine that boots Talos over the network."""

    booter: Booter
    inventory: Inventory
    fleet_changed: Changed
    cluster: Cluster
    stand_in: StandIn
    inspector: Inspector
    maintenance: "Counting"
    neighbours: dict[IPv4Address, str]

    @property
    def machine(self) -> Machine:
        found = self.inventory.snapshot.machine(MAC)
        assert found
        return found

    @property
    def phase(self) -> str:
        return self.machine.phase.value

    @property
    def words(self) -> str:
        return choice_words(self.machine, self.booter.applied.fleet)

    @property
    def is_installed(self) -> bool:
        return any(disk.installed for disk in self.stand_in.hardware.disks)

    def boots(self, *, address: str = "") -> None:
        """Take in that its firmware and iPXE have come as far as Talos' initramfs."""
        at = IPv4Address(address or self.stand_in.address)
        self.neighbours[at] = MAC
        told = Sighting(mac=MAC, firmware=Firmware.IPXE, address=at, macs=(MAC,), serial="BOX1", uuid=UUID_1)
        self.inventory.observe(replace(told, macs=(), from_nowhere=True), Stage.DISCOVER)
        self.inventory.observe(told, Stage.SCRIPT, vouched=True, chain="talos")
        self.inventory.observe(told, Stage.INITRAMFS, vouched=True)

    async def attempts(self, more: int) -> None:
        """Wait for so many further attempts that have ended."""
        last = self.maintenance.ended + more
        await until(lambda: self.maintenance.ended >= last)

    def declare(self, fleet: Fleet) -> None:
        self.booter.applied.fleet = fleet
        self.fleet_changed.tell()


class Counting(Maintenance):
    ended = 0

    async def attempt(self, waiting: Waiting) -> None:
        try:
            await super().attempt(waiting)
        finally:
            self.ended += 1


@asynccontextmanager
async def site(
    directory: Path,
    disks: list[Disk] | None = None,
    fleet: Fleet | None = None,
    known: Bundle | None = None,
    contract: Contract = Contract.V1_13,
) -> AsyncIterator[Site]:
    """Run the inspector; ``known`` are the secrets of a cluster that has some before its first machine asks."""
    reporting = MachineFacts(role=Role.WORKER, time_servers=("127.0.0.1",))
    cluster = Cluster(directory, contract=contract, reporting=reporting)
    inventory = Inventory(f"sqlite:///{directory / 'inventory.db'}")
    await inventory.open()
    store = AssetStore(directory / "assets")
    version = VERSIONS[contract]
    for name in (
        KERNEL.replace(VERSIONS[Contract.V1_13], version),
        INITRAMFS.replace(VERSIONS[Contract.V1_13], version),
    ):
        (directory / "assets" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "assets" / name).write_bytes(b"x")
    await store.refresh()
    neighbours: dict[IPv4Address, str] = {}
    parts: list[Booter] = []

    async def secrets(_: str) -> Bundle:
        return cluster.bundle

    async def known_secrets(layer: str) -> Bundle:
        if known is None:
            raise OperationError(f"{layer}: has no secrets yet")
        return known

    def disk_of(machine: Machine) -> DiskChoice | None:
        return disk_for(machine, parts[0].applied.fleet)

    made = Configurations(around=on_loopback, secrets=secrets, disk_of=disk_of)
    arda = ARDA.replace(VERSIONS[Contract.V1_13], version)
    listed = fleet or fleet_of(("one", MAC, LISTED), arda=arda)
    parts.append(booters_of(listed, inventory, store, neighbours.get, configurations=made).real)
    async with cluster.serving(), asyncio.TaskGroup() as group:
        stand_in = cluster.machine(1, Role.WORKER)
        stand_in.hardware.disks = disks or [Disk("sda", serial="SERIAL1")]
        cluster.served[stand_in.hardware.mac] = cluster.partial()
        changed = Changed()
        attends = Counting(parts[0], known_secrets, _hearing(parts[0], inventory, cluster, neighbours))
        inspector = Inspector(attends, inventory, changed)
        running = group.create_task(inspector.run())
        try:
            yield Site(parts[0], inventory, changed, cluster, stand_in, inspector, attends, neighbours)
        finally:
            running.cancel()
            await inventory.close()


def _hearing(
    booter: Booter, inventory: Inventory, cluster: Cluster, neighbours: dict[IPv4Address, str]
) -> Callable[[Machine, IPv4Address], Awaitable[bool]]:
    async def reader(_: str) -> Credentials:
        return cluster.credentials(ApiRole.READER)

    events = TalosEvents(inventory, booter.applied, booter.journal, neighbours.get)
    return SilentMachines(inventory, booter.applied, events, reader).hear


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(inspection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(inspection, "LONGEST_PAUSE", 0.2)


async def waits(here: Site, condition: Callable[[], object]) -> None:
    here.boots()
    await here.stand_in.power_on()
    await until(condition)


@pytest.mark.parametrize("contract", Contract)
async def test_a_machine_that_waits_is_read_and_gets_the_configuration_that_names_its_disk(
    tmp_path: Path, contract: Contract
) -> None:
    small, large = Disk("sdb", serial="SERIAL2", size=120 * 10**9), Disk("sda", serial="SERIAL1")
    stick = Disk("sdc", serial="STICK", size=32 * 10**9, transport="usb", holds=("vfat",))
    async with site(tmp_path, [large, stick, small], contract=contract) as here:
        here.boots()
        assert needs_inspection(here.machine, here.booter.applied.fleet)
        with capture_logs() as logs:
            await waits(here, lambda: here.phase == Phase.INSTALLING and small.installed)
        machine = here.machine
        assert machine.inspection is not None
        assert [disk.path for disk in machine.inspection.disks] == ["/dev/sda", "/dev/sdc", "/dev/sdb"]
        assert [one.name for one in machine.inspection.disks[1].contents] == ["gpt", "vfat"]
        assert machine.inspection.nics[0].mac == MAC
        assert machine.inspection.given == ("SERIAL2", "", "")
        assert here.words == "/dev/sdb is chosen: it was told to install its system there"
        assert not needs_inspection(machine, here.booter.applied.fleet)
        assert here.stand_in.failures == []
        again = replace(machine, phase=Phase.BOOTING)
        assert choice_words(again, here.booter.applied.fleet) == (
            "/dev/sdb is chosen: the smallest disk that is an SSD or NVMe and not removable"
        )
        (told,) = [one for one in logs if one["event"] == "machine.inspected"]
        assert (told["machine"], told["disks"]) == ("one", 3)
        (pushed,) = [one for one in logs if one["event"] == "boot" and one["stage"] == "config"]
        assert pushed["served"] == "one/config.yaml, pushed"
        assert new_bundle().trustd_token not in str(logs)


@pytest.mark.parametrize(
    ("disks", "reason"),
    [
        (FULL, "/dev/sda is not empty: 1 partition (ext4)"),
        (TWINS, "/dev/sda and /dev/sdb cannot be told apart: both fit"),
    ],
)
async def test_a_machine_whose_disk_would_be_a_guess_is_held_until_the_fleet_names_one(
    tmp_path: Path, disks: list[Disk], reason: str
) -> None:
    async with site(tmp_path, [replace(one) for one in disks]) as here:
        await waits(here, lambda: here.words.startswith(reason))
        await here.attempts(3)
        assert here.phase == Phase.BOOTING
        assert not here.is_installed
        here.declare(NAMED)
        await until(lambda: here.stand_in.hardware.disks[0].installed)
        assert here.phase == Phase.INSTALLING


async def test_a_reinstall_that_may_wipe_erases_what_is_there_once(tmp_path: Path) -> None:
    async with site(tmp_path, [replace(one) for one in FULL]) as here:
        here.boots()
        wipes = Directive(Intent.REINSTALL, "anna", wipe=Wipe.FIRST)
        await here.inventory.change(
            here.machine.id, lambda one: replace(one, directive=wipes), Happening.CHANGED, "reinstall", "anna"
        )
        await waits(here, lambda: here.is_installed)
        assert here.machine.directive == Directive(wipe=Wipe.ALLOWED), (
            "the power may fail before it is erased"
        )
        here.inventory.observe(sighting_of(here.machine, Firmware.TALOS), Stage.INSTALLED)
        assert here.machine.directive == Directive()
        assert not needs_inspection(here.machine, here.booter.applied.fleet), (
            "what was there is of no account now"
        )


@pytest.mark.parametrize("change", [{"serial": "BOX2"}, {"mac": "52:54:00:00:00:77"}, {"uuid": OTHER_UUID}])
async def test_what_answers_with_other_hardware_gets_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    async with site(tmp_path) as here:
        here.stand_in.hardware = replace(here.stand_in.hardware, **change)
        here.cluster.served[here.stand_in.hardware.mac] = here.cluster.partial()
        await waits(here, lambda: "another machine answers at" in here.words)
        assert next(iter(change.values())) in here.words
        assert here.phase == Phase.BOOTING
        assert not here.is_installed


async def test_what_has_the_address_but_not_the_mac_is_not_asked(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.boots()
        here.neighbours[IPv4Address(here.stand_in.address)] = "52:54:00:00:00:66"
        with capture_logs() as logs:
            await here.stand_in.power_on()
            await until(lambda: [one for one in logs if one["event"] == "untrusted"])
            await here.attempts(3)
        assert here.machine.inspection is None
        assert not here.is_installed


@pytest.mark.parametrize(
    ("known", "whose"),
    [(None, "another cluster"), (new_bundle(2), "another cluster"), (new_bundle(), "this cluster")],
)
async def test_somebody_s_old_talos_is_recognised_and_left_alone(
    tmp_path: Path, known: Bundle | None, whose: str
) -> None:
    async with site(tmp_path, known=known) as here:
        old = here.cluster.configuration(Role.CONTROLPLANE, "old", "SERIAL1")
        (disk,) = here.stand_in.hardware.disks
        here.stand_in.install(disk, old, "v1.13.9")
        here.stand_in.firmware = _from_the_network
        await waits(here, lambda: here.words != "not read yet")
        assert here.words == (
            f"Talos of {whose} is installed on it, and takes no other configuration; "
            "to erase it: iluvatar-pxe machines reinstall one --wipe"
        )
        assert disk.installed
        assert disk.installed.config == old


async def test_one_that_another_daemon_has_installed_is_known_to_be(tmp_path: Path) -> None:
    async with site(tmp_path, known=new_bundle()) as here:
        (disk,) = here.stand_in.hardware.disks
        here.stand_in.install(
            disk, here.cluster.configuration(Role.CONTROLPLANE, "one", "SERIAL1"), "v1.13.9"
        )
        here.stand_in.firmware = _from_the_network
        here.boots()
        await here.stand_in.power_on()
        await until(lambda: here.phase == Phase.INSTALLED)
        assert here.words == "not read yet"


async def test_one_that_another_daemon_has_booted_is_given_its_configuration_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path) as here:
        at = IPv4Address(here.stand_in.address)
        here.neighbours[at] = MAC
        here.declare(fleet_of(("one", MAC, f"{LISTED}seen: {{address: {at}}}\n")))
        asks = Sighting(mac=MAC, firmware=Firmware.UEFI_PXE, from_nowhere=True)
        here.inventory.observe(asks, Stage.DISCOVER)
        await here.stand_in.power_on()
        await until(lambda: here.stand_in.boot and here.stand_in.boot.is_in_maintenance)
        assert here.maintenance.waiting(here.machine.id) is None
        monkeypatch.setattr(maintenance, "UNSEEN_AFTER", timedelta())
        await until(lambda: here.is_installed)
        assert here.phase == Phase.INSTALLING


async def test_the_addresses_of_all_are_gathered_once_for_all_that_are_out_of_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "UNSEEN_AFTER", timedelta(seconds=-1))  # seen in this very millisecond
    macs = [f"52:54:00:00:00:{number:02x}" for number in range(2, 7)]
    async with site(tmp_path, fleet=fleet_of(*((f"m{mac[-1]}", mac, LISTED) for mac in macs))) as here:
        for mac in macs:
            here.inventory.observe(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.DISCOVER)
        profile = Profile()
        for machine in here.inventory.snapshot.by_id.values():
            profile.runcall(here.maintenance.waiting, machine.id)
        calls = {
            code.co_name: entry.callcount
            for entry in profile.getstats()
            if (code := entry.code) and not isinstance(code, str)
        }
        assert (calls["_told_address"], calls["members_of"]) == (len(macs), 1)


async def test_a_control_plane_that_no_file_lists_gets_no_keys_by_push(tmp_path: Path) -> None:
    async with site(tmp_path, fleet=fleet_of()) as here:
        here.boots()
        given = Assignment(
            name="arda-01", layer="arda", role=Role.CONTROLPLANE, rule="a test", at=here.machine.last_seen
        )
        await here.inventory.change(
            here.machine.id,
            lambda one: replace(one, assignment=given),
            Happening.CHANGED,
            "assigned",
            "a test",
        )
        with capture_logs() as logs:
            await waits(here, lambda: [one for one in logs if one["event"] == "machine.not-configured"])
        assert disk_for(here.machine, here.booter.applied.fleet)
        assert here.phase == Phase.BOOTING
        assert not here.is_installed


async def test_a_configuration_that_talos_refuses_is_pushed_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def refuse(text: str) -> None:
        asked.append(text)
        raise ValueError("unknown field")

    async with site(tmp_path) as here:
        here.stand_in.verdict = refuse
        with capture_logs() as logs:
            await waits(here, lambda: [one for one in logs if one["event"] == "machine.not-configured"])
            for _ in range(2):
                here.declare(here.booter.applied.fleet)
                await here.attempts(1)
        assert len(asked) == 1
        assert new_bundle().trustd_token not in str(logs)


async def test_an_api_that_hangs_is_asked_again_and_the_machine_then_gets_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "ATTEMPT_SECONDS", 0.5)
    monkeypatch.setattr(inspection, "SLOW_SECONDS", 1.0)
    async with site(tmp_path) as here:
        here.stand_in.answers.clear()
        await waits(here, lambda: "takes more than" in here.words)
        assert not here.is_installed
        here.stand_in.answers.set()
        await until(lambda: here.is_installed)


async def test_a_machine_that_never_answers_is_given_up_until_its_next_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "GIVE_UP_SECONDS", 0.3)
    async with site(tmp_path) as here:
        here.boots()
        await until(lambda: here.machine.id in here.inspector._silent)
        monkeypatch.setattr(inspection, "GIVE_UP_SECONDS", 3600.0)
        await waits(here, lambda: here.is_installed)


async def _from_the_network(_: StandIn) -> str:
    return "talos.platform=metal"
