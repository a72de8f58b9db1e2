"""The boot files of Raspberry Pis: whose they are, what is made of them, and what is recorded."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.booters import booters_of
from support.cloud_init import nothing_made
from support.fleets import fleet_of
from support.pi import IMAGE, LAYER, LEGACY_ID, MACS, ROM_ID, RULE, SERIAL, pi, pi_discover
from support.pi_assets import installable
from support.waiting import until

from iluvatar_pxe import ratelimit
from iluvatar_pxe.admin.waiting import waiting_machines
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database.read_only import last_boots
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning import booter, pis
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.pis import PiFiles
from iluvatar_pxe.servers.tftp.files import TftpFiles
from iluvatar_pxe.servers.tftp.server import TransferReport
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import DhcpMessage
from iluvatar_pxe.wire.tftp.transfer import Outcome

PI3, PI4, PI5 = Generation
HERE, THERE, SERVER = IPv4Address("10.77.0.50"), IPv4Address("10.77.0.51"), IPv4Address("10.77.0.2")
MAC = MACS[PI4]
OTHER_SERIAL = "0badcafe"
OPEN = fleet_of(fleet=RULE, ainur=LAYER)
LISTED = fleet_of(("varda", MAC, "layer: ainur\nrole: agent\n"), ainur=LAYER)


@dataclass
class Bench:
    """A booter with an image, and a neighbour table of the test's."""

    directory: Path
    booters: Booters
    inventory: Inventory
    neighbours: dict[IPv4Address, str]
    asked: list[str]
    own: set[IPv4Address]
    """Addresses of the daemon's own host."""
    coming: dict[str, Progress]
    files: TftpFiles

    def boots(self, request: DhcpMessage, address: IPv4Address = HERE) -> Machine:
        """Let a Pi ask by DHCP, and be at an address."""
        sighting = replace(from_dhcp(request), from_nowhere=True)
        self.neighbours[address] = sighting.mac
        return self.booter.journal.served(self.booter.decide(sighting), Stage.DISCOVER, "")

    @property
    def booter(self) -> Booter:
        return self.booters.real

    def is_simulated(self, sighting: Sighting) -> None:
        """Let a simulated Pi ask by DHCP."""
        simulated = self.booters.simulated
        simulated.journal.served(simulated.decide(sighting), Stage.DISCOVER, "")

    async def get(self, name: str, address: IPv4Address = HERE) -> bytes | None:
        """Return the file of that name, None for ERROR 1; a file that came counts as fetched."""
        reply = await self.files.open(name, address, SERVER)
        outcome, data = Outcome.MISSING, None
        if reply:
            outcome, data = Outcome.DONE, await reply.source.read(0, reply.source.size)
            await reply.source.close()
        client, size = (str(address), 49152), len(data or b"")
        self.files.report(TransferReport(client, name, outcome, size, 3, 1468, 1, "complete", reply))
        return data

    @property
    def machine(self) -> Machine:
        (found,) = self.inventory.snapshot.by_id.values()
        return found

    async def events(self) -> list[tuple[str, str]]:
        """Return stage and detail of everything on record of the machine's last boot."""
        await self.inventory.close()
        url = f"sqlite:///{self.directory / 'inventory.db'}"
        (boot, *_) = last_boots(url, self.machine.id, 1)
        return [
            (one.stage.label if isinstance(one.stage, Stage) else one.stage.value, one.detail)
            for one in boot.events
        ]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    for file in (*IMAGE, "config.txt"):
        path = tmp_path / "assets" / "raspberry-pi" / "ubuntu" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"root=LABEL=writable\n" if file == "cmdline.txt" else file.encode())
    store = AssetStore(tmp_path / "assets")
    await store.refresh()
    inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}")
    await inventory.open()
    neighbours: dict[IPv4Address, str] = {}
    asked: list[str] = []
    own, coming = {HERE}, dict[str, Progress]()
    booters = booters_of(
        LISTED,
        inventory,
        store,
        neighbours.get,
        is_own=own.__contains__,
        coming=lambda: coming,
        cloud_init=nothing_made,
    )
    files = TftpFiles(booters, 8080, PiFiles(booters, asked.append))
    yield Bench(tmp_path, booters, inventory, neighbours, asked, own, coming, files)
    await inventory.close()


@pytest.mark.parametrize("prefix", ["", f"{SERIAL}/", "164c6cb6/", "dc-a6-32-00-00-04/", "/"])
async def test_a_pi_gets_its_files_by_every_prefix_of_its_own(bench: Bench, prefix: str) -> None:
    bench.boots(pi(PI4))
    assert await bench.get(f"{prefix}start4.elf") == b"start4.elf"
    assert await bench.get(f"{prefix}overlays/overlay_map.dtb") == b"overlays/overlay_map.dtb"


async def test_its_config_and_command_line_are_made_for_it(bench: Bench) -> None:
    bench.boots(pi(PI4))
    assert b"# varda: raspberry-pi/ubuntu\n" in (await bench.get("config.txt") or b"")
    line = await bench.get("cmdline.txt") or b""
    assert line.startswith(b"root=LABEL=writable cgroup_enable=memory cgroup_memory=1 iluvatar.url=")


async def test_a_pi_gets_its_ticket_in_its_command_line_and_the_same_one_again(bench: Bench) -> None:
    machine = bench.boots(pi(PI4))
    found = [await seed_of(bench) for _ in range(2)]
    assert bench.booter.cloud_init
    base = f"http://{SERVER}:8080/cloud-init/{bench.booter.cloud_init.tickets.mint(machine)}"
    assert found == [[f"iluvatar.url={base}", f"ds=nocloud-net;s={base}/;i=iluvatar-{machine.id}"]] * 2
    await bench.get("config.txt")
    bench.boots(pi(PI4))
    assert await seed_of(bench) != found[0]
    assert (await seed_of(bench))[1].endswith(f";i=iluvatar-{machine.id}")


async def test_a_pi_that_gets_its_documents_from_the_provisioning_system_has_cloud_init_ask_nobody(
    bench: Bench,
) -> None:
    for name, content in installable("ubuntu").items():
        path = bench.directory / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    await bench.booter.store.refresh()
    root = "root: {kind: memory, data: {label: data}}\n"
    for layer in (LAYER, f"{LAYER}{root}"):
        bench.booter.applied.fleet = fleet_of(("varda", MAC, "layer: ainur\nrole: agent\n"), ainur=layer)
        bench.boots(pi(PI4))
        assert b"initramfs initrd.img" in (await bench.get("config.txt") or b"")
        (only,) = await seed_of(bench)
        assert only.startswith("iluvatar.url=")


async def test_a_pi_in_doubt_boots_without_a_ticket_and_that_is_logged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    bench.boots(pi(PI4))
    monkeypatch.setattr(bench.inventory._memory, "_asked", {})  # as after a restart of the daemon
    with capture_logs() as logs:
        assert await seed_of(bench) == []
    (line,) = (one for one in logs if one["event"] == "pi.no_ticket")
    assert (line["machine"], line["why"]) == ("varda", "no DHCP boot request from it within 15 minutes")


async def test_a_pi_whose_fleet_names_another_source_gets_no_ticket(bench: Bench) -> None:
    bench.boots(pi(PI4))
    own = f"{LAYER}kernelArgs: ['ds=nocloud;s=http://10.0.0.9/']\n"
    bench.booter.applied.fleet = fleet_of(("varda", MAC, "layer: ainur\nrole: agent\n"), ainur=own)
    assert await seed_of(bench) == ["ds=nocloud;s=http://10.0.0.9/"]


async def seed_of(bench: Bench) -> list[str]:
    """Return the kernel arguments of a Pi that say where its configuration is."""
    words = (await bench.get("cmdline.txt") or b"").decode().split()
    return [word for word in words if word.startswith(("ds=", "iluvatar."))]


async def test_the_system_of_ubuntu_since_25_10_is_served_from_its_folder(bench: Bench) -> None:
    image = bench.directory / "assets" / "raspberry-pi" / "ubuntu"
    (image / "current" / "overlays").mkdir(parents=True)
    for file in ("vmlinuz", "overlays/overlay_map.dtb"):
        (image / "current" / file).write_bytes(b"current")
    (image / "current" / "cmdline.txt").write_bytes(b"root=current\n")
    await bench.booter.store.refresh()
    bench.boots(pi(PI4))
    assert await bench.get("vmlinuz") == await bench.get("overlays/overlay_map.dtb") == b"current"
    assert (await bench.get("cmdline.txt") or b"").startswith(b"root=current ")
    assert await bench.get("start4.elf") == b"start4.elf"
    assert await bench.get("current/vmlinuz") is None, "config.txt has no os_prefix"


NOT_HIS = (
    *("00000001/start4.elf", "dc-a6-32-00-00-05/start4.elf", "my-prefix/start4.elf"),
    *("bootcode.bin", "start.elf", "bcm2712-rpi-5-b.dtb", "kernel7.img", "README", "overlays/README"),
    *("pieeprom.upd", "pieeprom.sig", "recovery.bin", "vl805.bin", "recovery.elf", "boot.img", "boot.sig"),
    *("autoboot.txt", "dt-blob.bin", "armstub8-gic.bin", "user-data", "../ubuntu/start4.elf", ""),
    *("raspberry-pi/ubuntu/start4.elf", f"{SERIAL}/{SERIAL}/start4.elf", "overlays/../start4.elf"),
)


async def test_rpi_eeprom_140_everything_else_is_error_1_at_once(bench: Bench) -> None:
    bench.boots(pi(PI4))
    assert [name for name in NOT_HIS if await bench.get(name) is not None] == []


async def test_rpi_eeprom_140_a_hot_loop_on_missing_files_is_a_line_of_log(bench: Bench) -> None:
    bench.boots(pi(PI4))
    ratelimit._complaints._limiters.clear()
    with capture_logs() as lines:
        for _ in range(100):
            assert await bench.get(f"{SERIAL}/recovery4.elf") is None
    assert 1 <= len([line for line in lines if line["event"] == "tftp.missing"]) <= 3
    assert {line["log_level"] for line in lines} == {"info"}


async def test_nobody_else_gets_them(bench: Bench) -> None:
    bench.boots(pi(PI4))
    assert await bench.get("start4.elf", THERE) is None
    bench.neighbours[THERE] = "52:54:00:00:00:01"
    assert await bench.get(f"{SERIAL}/config.txt", THERE) is None


async def test_a_boot_roms_serial_number_is_learnt_from_its_prefix(bench: Bench) -> None:
    bench.booter.applied.fleet = fleet_of(("varda", MACS[PI3], "layer: ainur\nrole: agent\n"), ainur=LAYER)
    bench.boots(pi_discover(MACS[PI3], ROM_ID))
    assert await bench.get("bootcode.bin") == b"bootcode.bin"
    assert bench.machine.serial == ""
    assert await bench.get(f"{SERIAL}/start.elf") == b"start.elf"
    assert bench.machine.serial == SERIAL
    assert await bench.get("00000001/start.elf") is None


async def test_a_boot_rom_does_not_take_anothers_serial_number(bench: Bench) -> None:
    bench.boots(pi(PI4), THERE)
    bench.boots(pi_discover(MACS[PI3], ROM_ID))
    assert await bench.get(f"{SERIAL}/start.elf") is None


async def test_how_far_it_came_is_on_record(bench: Bench) -> None:
    bench.boots(pi(PI4))
    for file in (
        "start4.elf",
        "config.txt",
        "config.txt",
        "initrd.img",
        "bcm2711-rpi-4-b.dtb",
        "cmdline.txt",
        "vmlinuz",
    ):
        assert await bench.get(f"{SERIAL}/{file}")
    assert bench.machine.phase is Phase.BOOTING
    assert bench.machine.reached is Stage.INITRAMFS
    assert await bench.events() == [
        ("discover", ""),
        ("assigned", "varda, agent"),
        ("nbp", "start4.elf"),
        ("script", "config.txt"),
        ("initramfs", "initrd.img"),
        ("kernel", "vmlinuz"),
    ]


async def boot(bench: Bench, *files: str) -> Phase:
    bench.boots(pi(PI5))
    for file in files:
        assert await bench.get(file)
    return bench.machine.phase


async def test_a_pi_that_comes_further_is_not_taken_to_go_round_in_circles(bench: Bench) -> None:
    bench.booter.applied.fleet = fleet_of(fleet=f"maxAttempts: 2\n{RULE}", ainur=LAYER)
    fetched = ("config.txt", "vmlinuz", "initrd.img")
    phases = [await boot(bench, *files) for files in (fetched[:1], fetched[:2], fetched, fetched[:1], ())]
    assert phases == [Phase.BOOTING] * 4 + [Phase.FAILED]
    assert await bench.get("config.txt") is None


async def test_an_installed_pi_that_starts_twice_for_each_update_is_declined_at_once_and_in_no_loop(
    bench: Bench,
) -> None:
    """Its boot order asks the network first, and Ubuntu 26.04 starts twice after an update of the kernel."""
    fleet = f"maxAttempts: 2\n{RULE}"
    bench.booter.applied.fleet = fleet_of(
        ("varda", MAC, "layer: ainur\nrole: agent\n"), fleet=fleet, ainur=LAYER
    )
    bench.boots(pi(PI4))
    assert await bench.get("config.txt")
    for stage in (Stage.STARTED, Stage.JOINED):
        bench.inventory.observe(Sighting(mac=MAC, firmware=Firmware.RASPBERRY_PI), stage)
    for _ in range(6):
        bench.boots(pi(PI4))
        assert await bench.get("config.txt") is None
        bench.inventory.observe(Sighting(mac=MAC, firmware=Firmware.RASPBERRY_PI), Stage.STARTED)
        assert bench.machine.phase is Phase.JOINED


async def test_a_new_pi_is_given_its_place_when_it_asks_for_its_files(bench: Bench) -> None:
    bench.booter.applied.fleet = OPEN
    bench.boots(pi(PI4))
    assert bench.machine.assignment is None
    assert await bench.get(f"{SERIAL}/start4.elf") == b"start4.elf"
    assert bench.machine.assignment
    assert bench.machine.assignment.name == "ainur-01"
    assert b"# ainur-01" in (await bench.get("config.txt") or b"")


async def test_a_place_that_cannot_be_given_soon_is_error_1_and_given_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pis, "ASSIGN_SECONDS", 0)
    bench.booter.applied.fleet = OPEN
    bench.boots(pi(PI4))
    assert await bench.get("start4.elf") is None
    await until(lambda: bench.machine.assignment)  # that goes on
    assert await bench.get("start4.elf") == b"start4.elf"


async def test_a_pi_that_waits_for_a_window_stands_before_the_door(bench: Bench) -> None:
    bench.booter.applied.fleet = OPEN
    await bench.inventory.set_window(0, "anna")
    bench.boots(pi(PI4))
    assert await bench.get("start4.elf") is None
    machine = bench.machine
    assert machine.assignment is None
    assert waiting_machines(bench.inventory.snapshot, OPEN, machine.last_seen) == [machine]


async def test_who_asks_in_anothers_name_is_given_no_place(bench: Bench) -> None:
    bench.booter.applied.fleet = OPEN
    bench.boots(pi(PI4))
    bench.neighbours[HERE] = MACS[PI5]  # of which no DHCP was seen
    assert await bench.get("start4.elf") is None
    del bench.neighbours[HERE]
    assert await bench.get("start4.elf") is None
    assert bench.machine.assignment is None


async def test_a_simulated_pi_is_served_without_a_name_and_without_a_trace(bench: Bench) -> None:
    bench.booter.applied.fleet = OPEN
    bench.is_simulated(from_dhcp(pi(PI4)))
    assert await bench.get(f"{SERIAL}/start4.elf") is None  # nobody simulated is known at that address
    bench.is_simulated(replace(from_dhcp(pi(PI4)), address=HERE))
    assert await bench.get(f"{SERIAL}/start4.elf") == b"start4.elf"
    assert len(bench.inventory.snapshot.by_id) == 0


async def test_a_simulated_pi_is_not_the_real_one_whose_host_it_runs_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    secretive = fleet_of(fleet=RULE, ainur=f"{LAYER}kernelArgs: [k3s.token=HUSH]\n")
    bench.booter.applied.fleet = secretive
    bench.boots(pi(PI4))
    played = pi_discover(MACS[PI5], b"\0" + bytes.fromhex(OTHER_SERIAL)[::-1] * 4)
    bench.is_simulated(replace(from_dhcp(played), address=HERE))
    monkeypatch.setattr(booter, "FIRMWARE_SECONDS", -1.0)  # long ago
    cmdline = await bench.get(f"{OTHER_SERIAL}/cmdline.txt")
    assert cmdline
    assert cmdline.endswith(b" (masked)\n")
    assert b"HUSH" not in cmdline
    assert bench.machine.assignment is None
    assert bench.machine.reached is Stage.DISCOVER
    monkeypatch.undo()
    assert b"k3s.token=HUSH" in (await bench.get(f"{SERIAL}/cmdline.txt") or b"")


async def test_a_simulated_pi_on_another_host_is_told_nothing_of_the_fleet(bench: Bench) -> None:
    secretive = fleet_of(
        fleet=RULE, ainur=f"{LAYER}kernelArgs: [wifi.psk=HUSH]\nconfigTxt: [dtparam=HUSH, program_pin=4711]\n"
    )
    bench.own.clear()
    bench.booter.applied.fleet = secretive
    bench.is_simulated(replace(from_dhcp(pi(PI4)), address=HERE))
    config = await bench.get(f"{SERIAL}/config.txt") or b""
    cmdline = await bench.get(f"{SERIAL}/cmdline.txt") or b""
    for text in (config, cmdline):
        assert text
        for words in (b"HUSH", b"psk", b"4711", b"pin"):
            assert words not in text
    assert cmdline.endswith(b" " + b"x" * len("wifi.psk=HUSH") + b"\n")


def declining(intent: str) -> Fleet:
    return fleet_of(("varda", MAC, f"layer: ainur\nrole: agent\nintent: {intent}\n"), ainur=LAYER)


@pytest.mark.parametrize("intent", ["local", "hold"])
async def test_a_provisioned_pi_is_declined_and_its_tries_are_one_boot(bench: Bench, intent: str) -> None:
    bench.booter.applied.fleet = declining(intent)
    for _ in range(5):
        bench.boots(pi(PI4))
        for file in ("start4.elf", "start.elf", "config.txt"):
            assert await bench.get(f"{SERIAL}/{file}") is None
    assert bench.machine.generation == 2
    assert bench.machine.furthest is Stage.SCRIPT
    assert await bench.events() == [
        ("discover", ""),
        ("declined", f"machines/varda.yaml sets intent {intent}"),
    ]


async def test_a_pi_whose_image_is_coming_is_declined_until_it_is_there(bench: Bench) -> None:
    """Its tries are one boot, and are recorded once, however far the image is."""
    bench.booter.applied.fleet = fleet_of(("varda", MAC, "layer: ainur\nrole: agent\n"), ainur="image: new\n")
    for done in range(0, 100, 20):
        bench.coming["raspberry-pi/new/"] = Progress(state=State.LOADING, done=done, size=100)
        bench.boots(pi(PI4))
        for file in ("start4.elf", "start.elf", "config.txt"):
            assert await bench.get(f"{SERIAL}/{file}") is None
    assert bench.machine.generation == 2
    (_, (event, why)) = await bench.events()
    assert event == "declined"
    assert why.endswith("but raspberry-pi/new is 20 % here (0.0 of 0.0 MB)")
    assert not bench.machine.attempts.starts
    (bench.directory / "assets" / "raspberry-pi" / "ubuntu").rename(
        bench.directory / "assets" / "raspberry-pi" / "new"
    )
    await bench.booter.store.refresh()
    bench.boots(pi(PI4))
    assert await bench.get(f"{SERIAL}/start4.elf") == b"start4.elf"


async def test_the_first_question_for_a_file_ends_a_pis_turn(bench: Bench) -> None:
    bench.boots(pi_discover(MACS[PI3], LEGACY_ID))
    await bench.get("bootcode.bin")
    assert bench.asked == [MACS[PI3]]


async def test_rpi_eeprom_720_857_687_a_file_too_large_for_a_pi_is_warned_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pis, "LARGEST_FILE", 5)
    bench.boots(pi(PI4))
    ratelimit._complaints._limiters.clear()
    with capture_logs() as lines:
        assert await bench.get("vmlinuz")
    (warning,) = (line for line in lines if line["event"] == "pi.large_file")
    assert (warning["log_level"], warning["file"]) == ("warning", "raspberry-pi/ubuntu/vmlinuz")


async def test_rpi_eeprom_74_firmware_1700_a_probe_is_no_warning(bench: Bench) -> None:
    bench.boots(pi(PI4))
    ratelimit._complaints._limiters.clear()
    why = "the client ended it with error 0: 'Early terminate'"
    with capture_logs() as lines:
        bench.files.report(
            TransferReport((str(HERE), 49152), f"{SERIAL}/start4.elf", Outcome.PROBE, 0, 3, 1468, 1, why)
        )
    assert [line["log_level"] for line in lines] == ["info"]
    assert bench.machine.reached is Stage.DISCOVER
