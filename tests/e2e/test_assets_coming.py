"""Machines that are switched on before the first byte of their boot files was downloaded: they wait, and boot by themselves."""

import hashlib
import io
import json
import re
import tarfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from e2e.recorded import KERNEL_TO_CONFIG, recorded_stages
from e2e.side_by_side import at_the_same_time, mac_of, switch_on_all
from support.lab_machine import Machine
from support.lab_publisher import URL, LabPublisher

from bench.lab_boot import Listed, boot
from iluvatar_pxe.assets.store import SYSTEM_PROGRAMS
from iluvatar_pxe.boot.chains.talos import asset_names
from iluvatar_pxe.fleet.models import Talos
from iluvatar_pxe.lab.daemon import STATION, Server, ask
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab
from iluvatar_pxe.lab.system.kernel import StandIn
from iluvatar_pxe.resources import read_catalogue

pytestmark = pytest.mark.firmware

SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
TALOS = Talos(version="v1.13.9", schematic=SCHEMATIC)
LAYER = (
    f"kind: talos\ntalos: {{version: {TALOS.version}, schematic: {SCHEMATIC}}}\n"
    "config: {controlplane: configs/arda-01.yaml, worker: configs/arda-01.yaml}\n"
)
CONFIG = b"version: v1alpha1\nmachine:\n  type: worker\n"
FLEET = f"""\
domain: lab.home.arpa
enrolment: {{mode: join, countdown: 3, wait: 10}}
rules: [{{match: {{mac: "{mac_of(1)}"}}, layer: arda}}]
assets:
  mirrors:
    https://factory.talos.dev/: [{URL}factory/]
    https://github.com/: [{URL}github/]
"""
SLOW, FAST = 2_000_000, 100_000_000
PADDING = 30_000_000
"""Behind the initramfs, which Linux passes over: 15 s at 2 MB/s, so that each screen asks twice, however slow it is."""
IPXE = tomllib.loads(read_catalogue())["ipxe"]


@pytest.mark.parametrize(
    "kinds", [["bios"], pytest.param(["bios", "uefi-x64"], marks=pytest.mark.long)], ids=" and ".join
)
def test_machines_wait_for_their_files_and_boot_without_a_hand(
    system: StandIn, current: Path, kinds: list[str], tmp_path: Path
) -> None:
    """The BIOS machine joins by a rule, and waits for longer than a stranger. The UEFI machine is listed."""
    publisher = LabPublisher(tmp_path)
    pins = offer_talos(publisher, system, PADDING)
    with Lab() as lab:
        server = served(lab, pins, current)
        publisher.start(lab.namespace, STATION, SLOW)
        daemon = server.start()
        bios, *listed = machines = switch_on_all(lab, kinds)
        waits = r"(?s)the image factory\s+is building it.*Asking again in 5 seconds"
        at_the_same_time(
            partial(bios.shows, rf"{waits}(?:.*Asking again in 5 seconds){{3}}", BOOT_SECONDS),
            *(partial(machine.shows, waits, BOOT_SECONDS) for machine in listed),
        )
        for _ in listed:
            assert "is building it" in " ".join(ask(lab.namespace, "machines", "show", "arda-01").split())
        publisher.let_go()
        at_the_same_time(*(partial(boots_by_itself, machine) for machine in machines))
        for name in ("arda-02", "arda-01")[: len(machines)]:
            shown = json.loads(ask(lab.namespace, "machines", "show", name, "--json"))
            assert (shown["phase"], shown["reached"]) == ("installing", "config"), shown
        assert daemon.stop() == 0, daemon.tail()


@pytest.mark.long
def test_arm64_boots_with_an_ipxe_that_was_fetched(
    system_arm64: StandIn, current: Path, tmp_path: Path
) -> None:
    """As on Debian 12, whose package has none for arm64. Firmware that gets no answer yet asks again by itself."""
    publisher = LabPublisher(tmp_path)
    pins = offer_talos(publisher, system_arm64) | offer_ipxe(publisher, current, tmp_path)
    with Lab() as lab:
        lab.namespace.run(["mkdir", "-p", str(SYSTEM_PROGRAMS)])
        lab.namespace.run(["mount", "-t", "tmpfs", "none", str(SYSTEM_PROGRAMS)])
        server = served(lab, pins)
        publisher.start(lab.namespace, STATION, FAST)
        daemon = server.start()

        def let_go_when_the_firmware_has_asked() -> None:
            daemon.wait_for(r'no iPXE binary for [^"]*: ipxe/snponly-arm64\.efi is ', BOOT_SECONDS)
            publisher.let_go()

        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(let_go_when_the_firmware_has_asked)
            booting = boot(lab, "uefi-arm64")
            going.result()
        assert daemon.stop() == 0, daemon.tail()
        recorded = recorded_stages(lab, tmp_path)
    assert booting.config_sha256 == hashlib.sha256(CONFIG).hexdigest()
    assert "talos.platform=metal" in booting.command_line.split()
    assert {"discover", "boot-server", "nbp"} | KERNEL_TO_CONFIG <= recorded, daemon.tail()
    assert re.search(r'"served": "ipxe/snponly-arm64\.efi"', daemon.output)


def served(lab: Lab, pins: dict[str, bytes], programs: Path | None = None) -> Server:
    """Return a server of a fleet whose first machine is listed, and whose files are pinned."""
    server = Server(lab.network, programs, fetch=True)
    lines = "".join(
        f"  {name}: {{sha256: {hashlib.sha256(data).hexdigest()}, size: {len(data)}}}\n"
        for name, data in pins.items()
    )
    files = {"fleet.yaml": FLEET, "layers/arda.yaml": LAYER, "assets.lock.yaml": f"files:\n{lines}"}
    server.write_fleet(
        {name: text.encode() for name, text in files.items()} | Listed(mac_of(2), CONFIG).files
    )
    return server


def offer_talos(publisher: LabPublisher, system: StandIn, padding: int = 0) -> dict[str, bytes]:
    """Publish a kernel and an initramfs as Image Factory does; return them by their logical names."""
    kernel, initramfs = asset_names(TALOS, system.architecture)
    places = {name: f"factory/image/{name.removeprefix('talos/')}" for name in (kernel, initramfs)}
    return {
        kernel: publisher.offer(places[kernel], system.kernel).read_bytes(),
        initramfs: publisher.offer(places[initramfs], system.initramfs, padding).read_bytes(),
    }


def offer_ipxe(publisher: LabPublisher, programs: Path, scratch: Path) -> dict[str, bytes]:
    """Publish an archive as iPXE's release has it, with all members: what is a copy of another one is a link."""
    file = scratch / "ipxeboot.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(programs / "ipxe-arm64.efi", "ipxeboot/arm64/ipxe.efi")
        for name in IPXE["files"][0]["members"].keys() - {"ipxeboot/arm64/ipxe.efi"}:
            member = tarfile.TarInfo(name)
            is_arm64 = name == "ipxeboot/arm64/snponly.efi"
            member.type, member.linkname = (
                (tarfile.SYMTYPE, "ipxe.efi") if is_arm64 else (tarfile.REGTYPE, "")
            )
            archive.addfile(member, io.BytesIO())
    version = IPXE["version"]
    place = f"github/ipxe/ipxe/releases/download/v{version}/ipxeboot.tar.gz"
    return {f"ipxe/{version}/ipxeboot.tar.gz": publisher.offer(place, file).read_bytes()}


def boots_by_itself(machine: Machine) -> None:
    """Wait for the stand-in's last word, and check that the screen has counted up until then."""
    last = machine.shows(r"LAB (?:failed=|config-url=\S+ sha256=([0-9a-f]{64}))", BOOT_SECONDS)
    assert last[1] == hashlib.sha256(CONFIG).hexdigest(), machine.screen
    told = [int(percent) for percent in re.findall(r"initramfs-amd64\.xz is (\d+) %", machine.screen)]
    assert len(told) >= 2, machine.screen
    assert all(one <= other for one, other in pairwise(told)), told
    assert told[0] < told[-1], told
    assert "Talos did not start" not in machine.screen
    assert "Download failed" not in machine.screen
