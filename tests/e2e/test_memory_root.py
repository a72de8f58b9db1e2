"""A root in memory on QEMU's arm64, from power-on to the image's own init, which finds what it left before it restarted.

The daemon is a stand-in. The kernel is Debian's, started as a Raspberry Pi's firmware starts one. The image's init is a
script that says what it finds.
"""

import json
import random
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from support.arm64_machine import started
from support.installer_daemon import InstallerDaemon
from support.pi_images import MIB, needs_tools
from support.provisioning_system import (
    DOCUMENTS,
    ProvisioningSystem,
    needs_emulated_arm64,
    provisioning_system,
    tools,
)
from support.small_pi_image import SmallPiImage, runnable, runnable_image
from support.waiting import wait_until

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType
from iluvatar_pxe.layers.ainur.installer.data import DataName, WantedData
from iluvatar_pxe.layers.ainur.installer.hardware import Hardware
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.in_memory import root_size
from iluvatar_pxe.layers.ainur.installer.layout import Installation
from iluvatar_pxe.layers.ainur.installer.place import place_in_memory
from iluvatar_pxe.layers.ainur.installer.protocol import InstallStep, Load, Planned, Wait
from iluvatar_pxe.values import replace

DISK_SIZE = 8200 * MIB
OWN = Installation("pi-1", 1)
DATA = WantedData(name=DataName(label="data"), selector=DiskSelector(type=DiskType.SSD))
SECONDS = 300.0

pytestmark = [needs_tools, *needs_emulated_arm64]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> ProvisioningSystem:
    return provisioning_system(tmp_path_factory.mktemp("system"))


def image_with(
    directory: Path, left_out: str = "", more: Mapping[str, bytes] = MappingProxyType({})
) -> SmallPiImage:
    """Make an image that runs; with ``left_out`` of its files removed, and more in it."""
    directory.mkdir()
    files = {**runnable(tools()["bin/busybox"]), **more}
    return runnable_image(
        directory,
        {
            name: one
            for name, one in {**files, **more}.items()
            if not left_out or not name.startswith(left_out)
        },
    )


@dataclass
class Site:
    """A machine with one empty disk, and the daemon that plans for it."""

    directory: Path
    system: ProvisioningSystem
    image: SmallPiImage
    wrong_sums: int = 0
    """In how many plans the root file system has another sum than is told."""
    memory: int = 512
    """MiB."""

    def __post_init__(self) -> None:
        self.disk = self.directory / "disk"
        self.disk.touch()
        with self.disk.open("r+b") as file:
            file.truncate(DISK_SIZE)
        self.daemon = InstallerDaemon(self.image.folder, DOCUMENTS, self._plan)
        self._boots = count()

    def start(self) -> Any:
        console = self.directory / f"console.{next(self._boots)}"
        return started(self.system, self.disk, self.daemon.url, console, memory=self.memory)

    def _plan(self, hardware: Hardware) -> Planned:
        found = place_in_memory(hardware, DATA, self.image.layout)
        if isinstance(found, Held):
            return Wait(1, found.reason)
        root = self.image.root(self.daemon.path)
        if self.wrong_sums:
            self.wrong_sums -= 1
            root = replace(root, sha256="0" * 64)
        return Load(size=root_size(hardware.memory), root=root, installation=OWN, data=found.data)

    @property
    def steps(self) -> list[InstallStep | None]:
        return list(dict.fromkeys(one.step for one in self.daemon.progress if not one.fault))

    @property
    def first_mib(self) -> bytes:
        with self.disk.open("rb") as file:
            return file.read(MIB)

    @property
    def faults(self) -> list[str]:
        return [one.fault for one in self.daemon.progress if one.fault]

    def boot(self) -> dict[str, str]:
        """Return what the image's init says, by the first word."""
        self.daemon.progress.clear()
        with self.start() as machine:
            machine.wait_for_restart()
        said = [
            line.strip().partition("init: ")[2] for line in machine.console.splitlines() if "init: " in line
        ]
        assert "end" in said, machine.console[-3000:]
        return dict(line.partition(" ")[::2] for line in said)


@pytest.fixture
def site(tmp_path: Path, system: ProvisioningSystem) -> Iterator[Site]:
    site = Site(tmp_path, system, image_with(tmp_path / "image"))
    with site.daemon:
        yield site


STEPS = [InstallStep.DOCUMENTS, InstallStep.WRITE, InstallStep.GROW, InstallStep.SEED, InstallStep.START]


def test_a_root_in_memory_starts_and_leaves_what_lasts_on_a_disk_that_was_empty(site: Site) -> None:
    said = site.boot()
    assert site.steps == [STEPS[0], InstallStep.DATA, *STEPS[1:]]
    check_root(said)
    check_data(site, marks=1)
    (found,) = site.daemon.hardware.disks
    assert found.disk.contents == (), "an empty disk was formatted"


@pytest.mark.long
def test_what_lasts_is_there_at_the_next_start_whatever_happens_before(
    tmp_path: Path, system: ProvisioningSystem
) -> None:
    large = random.Random(3).randbytes(18 * MIB)
    site = Site(tmp_path, system, image_with(tmp_path / "image", more={"large": large}), memory=1024)
    with site.daemon:
        assert site.boot()["marks"] == "1"
        before = site.first_mib
        site.wrong_sums, site.daemon.breaks["root.zst"] = 1, 2
        said = site.boot()
        assert said["marks"] == "2"
        check_root(said)
        assert ["sha256" in one for one in site.faults] == [True]
        assert site.daemon.breaks["root.zst"] == 0, "the stream went on where it was broken"
        assert InstallStep.DATA not in site.steps, "the file system that is there is adopted"
        assert site.first_mib == before
        check_data(site, marks=2)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_one_that_is_switched_off_at_any_moment_has_its_data_partition_after_its_next_start(
    site: Site, seed: int
) -> None:
    chance = random.Random(seed)
    with site.start() as machine:
        moment = chance.randrange(6, 14)
        wait_until(
            lambda: site.daemon.answered >= moment or machine.process.poll() is not None, "requests", SECONDS
        )
        time.sleep(chance.random() * 2)  # anywhere between two requests
    marks = int(site.boot()["marks"])
    assert marks in {1, 2}
    check_data(site, marks=marks)


@pytest.mark.long
@pytest.mark.parametrize(
    ("left_out", "large", "words"),
    [
        ("sbin/init", 0, "FAULT: the image has no /sbin/init"),
        ("etc/cloud/cloud.cfg.d", 0, "FAULT: the image has no cloud-init"),
        ("none", 200 * MIB, "WAITING: its memory of"),
    ],
)
def test_what_keeps_it_from_starting_is_on_its_console(
    tmp_path: Path, system: ProvisioningSystem, left_out: str, large: int, words: str
) -> None:
    image = image_with(tmp_path / "image", left_out, {"large": bytes(large)})
    site = Site(tmp_path, system, image, memory=256)
    with site.daemon, site.start() as machine:
        times = 2 if "FAULT" in words else 1
        wait_until(lambda: machine.console.count(words) == times, words, SECONDS)
    assert "init: root" not in machine.console


def check_root(said: dict[str, str]) -> None:
    """Check what the image's init finds: a root as on a disk, and nothing that was left over."""
    assert said["root"] == "/dev/loop0 / ext4 rw,relatime,discard,noinit_itable 0 0"
    assert said["fstab"] == "# /etc/fstab;tmpfs /tmp tmpfs defaults 0 0;"
    assert said["seed"] == "600 0 hostname: ainur-01"
    assert said["run"] == "0 mounts 4 clients 0", "root, /dev, /proc and /sys"
    assert said["interface"] == "up 0", "down, and without an address"
    assert int(said["freed"]) > 7000, "KiB of what was removed are free memory"
    assert said["overlay"] == "works"


def check_data(site: Site, *, marks: int) -> None:
    """Read the disk with the tools of Linux' distributions."""
    (part,) = json.loads(tool("sfdisk", "--json", str(site.disk)))["partitiontable"]["partitions"]
    start, size = part["start"] * 512, part["size"] * 512
    assert 'LABEL="data"' in tool("blkid", "-p", "-O", str(start), "-S", str(size), str(site.disk))
    volume = f"{site.disk}?offset={start}"
    assert tool("debugfs", "-R", "cat /marks", volume) == "mark\n" * marks
    tool("e2fsck", "-f", "-n", volume)


def tool(*command: str) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
