"""The provisioning system on QEMU's arm64: from power-on to a disk that is read back with fdisk, mtools and debugfs.

The daemon is a stand-in. The kernel is Debian's, started as a Raspberry Pi's firmware starts one.
"""

import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.arm64_machine import SERIAL, started
from support.installer_daemon import InstallerDaemon
from support.pi_images import BOOT_START, MIB, needs_tools
from support.provisioning_system import (
    DOCUMENTS,
    ProvisioningSystem,
    needs_emulated_arm64,
    provisioning_system,
)
from support.small_pi_image import IMAGE, KERNEL, SmallPiImage, small_pi_image
from support.waiting import wait_until

from iluvatar_pxe.fleet.disk_selector import DiskSelector, MachineDisk
from iluvatar_pxe.layers.ainur.installer.choice import Chosen, Complete, Wanted, choose_root
from iluvatar_pxe.layers.ainur.installer.hardware import Hardware
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.layout import Installation, least_size
from iluvatar_pxe.layers.ainur.installer.protocol import ImagePart, Install, InstallStep, Restart, Wait
from iluvatar_pxe.values import replace

DISK_SIZE = 128 * MIB
OWN = Installation("pi-1", 1)
SECONDS = 300.0
MOST_REQUESTS = 25
"""Of an installation, or a few less."""

pytestmark = [needs_tools, *needs_emulated_arm64]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> ProvisioningSystem:
    return provisioning_system(tmp_path_factory.mktemp("system"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> SmallPiImage:
    return small_pi_image(tmp_path_factory.mktemp("image"))


@dataclass
class Site:
    """A machine's disk, and the daemon that plans for it."""

    directory: Path
    system: ProvisioningSystem
    image: SmallPiImage
    selector: DiskSelector | None = None
    wrong_sums: int = 0
    """In how many plans the root file system comes first, and has another sum than is told."""

    def __post_init__(self) -> None:
        self.disk = self.directory / "disk"
        self.disk.touch()
        with self.disk.open("r+b") as file:
            file.truncate(DISK_SIZE)
        self.daemon = InstallerDaemon(self.image.folder, DOCUMENTS, self._plan)
        self._boots = count()

    def start(self) -> Any:
        return started(
            self.system, self.disk, self.daemon.url, self.directory / f"console.{next(self._boots)}"
        )

    def _plan(self, hardware: Hardware) -> Install | Wait | Restart:
        wanted = Wanted(
            title="ainur-01", selector=self.selector, least_size=least_size(IMAGE), installation=OWN
        )
        match choose_root(hardware.disks, wanted):
            case Chosen(disk):
                return Install(
                    disk=disk,
                    image=IMAGE,
                    parts=self._parts(),
                    installation=OWN,
                    kernel_args=("cgroup_enable=memory", "a|b&c"),
                    config_lines=("dtparam=pciex1",),
                )
            case Complete():
                return Restart(is_complete=True)
            case Held(reason, _):
                return Wait(1, reason)

    def _parts(self) -> tuple[ImagePart, ...]:
        boot, root = self.image.parts(self.daemon.path)
        if self.wrong_sums:
            self.wrong_sums -= 1
            return replace(root, sha256="0" * 64), boot
        return boot, root

    @property
    def table(self) -> str:
        return tool("sfdisk", "--dump", str(self.disk), fails=True)

    @property
    def faults(self) -> list[str]:
        return [one.fault for one in self.daemon.progress if one.fault]

    @property
    def starts_nothing(self) -> bool:
        """Say whether firmware finds no FAT partition: no table, or none in it of this type."""
        with self.disk.open("rb") as file:
            sector = file.read(512)
        return sector == bytes(512) or sector[446:462] == bytes(16)


@pytest.fixture
def site(tmp_path: Path, system: ProvisioningSystem, image: SmallPiImage) -> Iterator[Site]:
    site = Site(tmp_path, system, image)
    with site.daemon:
        yield site


def tool(*command: str, fails: bool = False) -> str:
    """Return what a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=not fails)
    return done.stdout


def install(site: Site) -> None:
    with site.start() as machine:
        machine.wait_for_restart()


def test_an_empty_disk_gets_the_image_its_documents_and_names_of_its_own(site: Site) -> None:
    site.wrong_sums, site.daemon.breaks["boot.zst"] = 1, 2
    with site.start() as machine:
        wait_until(lambda: site.faults, "a fault", SECONDS)
        assert "sha256" in site.faults[0]
        assert site.starts_nothing, "a wrong checksum never boots"
        check_reported(site)
        machine.wait_for_restart()
    assert "FAULT: /files/root.xz" in machine.console
    assert site.daemon.breaks["boot.zst"] == 0, "the stream went on where it was broken"
    check_installed(site)
    check_progress(site)


@pytest.mark.parametrize(
    "seeds", [(20, 21, 22), *(pytest.param((seed,), marks=pytest.mark.long) for seed in range(20))]
)
def test_a_machine_that_is_switched_off_at_any_moment_is_installed_after_its_next_start(
    site: Site, seeds: tuple[int, ...]
) -> None:
    for seed in seeds:
        switch_off_while_it_installs(site, random.Random(seed))
    install(site)
    check_installed(site)


def switch_off_while_it_installs(site: Site, chance: random.Random) -> None:
    """Switch the machine on, and off again anywhere between its power-on and its restart."""
    before = site.daemon.answered
    with site.start() as machine:
        moment = before + chance.randrange(MOST_REQUESTS)
        wait_until(
            lambda: site.daemon.answered >= moment or machine.process.poll() is not None, "requests", SECONDS
        )
        time.sleep(chance.random() * 2)  # anywhere between two requests
    if not site.starts_nothing:
        check_installed(site)


@pytest.mark.long
def test_what_holds_an_installation_is_on_the_console_and_nothing_is_erased(site: Site) -> None:
    before = b"not a file system".ljust(4096, b"x") * 512
    with site.disk.open("r+b") as file:
        file.write(before)
        file.seek(0)
        file.write(b"XFSB")
    site.selector = MachineDisk(serial="another")
    with site.start() as machine:
        wait_until(lambda: "WAITING: none of its disks fits" in machine.console, "the reason", SECONDS)
    assert site.disk.read_bytes()[4096:].startswith(before[4096:])


def check_progress(site: Site) -> None:
    steps = list(dict.fromkeys(one.step for one in site.daemon.progress))
    assert steps == [one for one in InstallStep if one not in {InstallStep.DATA, InstallStep.START}]
    told = [one.percent for one in site.daemon.progress if one.percent is not None]
    last_try = told[len(told) - told[::-1].index(0) - 1 :]
    assert last_try == sorted(last_try)
    assert last_try[-1] == 100


def check_reported(site: Site) -> None:
    (one,) = site.daemon.hardware.disks
    assert (one.disk.path, one.disk.size, one.disk.serial) == ("/dev/vda", DISK_SIZE, SERIAL)
    assert (one.disk.transport, one.sector, one.disk.contents) == ("virtio", 512, ())


def check_installed(site: Site) -> None:
    """Read the disk with the tools of Linux' distributions."""
    table = site.table
    assert f"label-id: 0x{OWN.disk_id}" in table
    assert [line.split(",")[2].strip() for line in table.splitlines() if "start=" in line] == [
        "type=c",
        "type=83",
    ]
    check_boot(f"{site.disk}@@{BOOT_START}")
    root = site.directory / "root"
    with site.disk.open("rb") as file:
        file.seek(IMAGE.root.start)
        root.write_bytes(file.read(DISK_SIZE - MIB - IMAGE.root.start))
    check_root(root)


def check_boot(boot: str) -> None:
    command = tool("mtype", "-i", boot, "::/current/cmdline.txt")
    assert command == (
        f"console=serial0,115200 root=PARTUUID={OWN.disk_id}-02 rootfstype=ext4 rootwait fixrtc"
        " cgroup_enable=memory a|b&c\n"
    )
    assert tool("mtype", "-i", boot, "::/config.txt").endswith("[all]\ndtparam=pciex1\n")
    names = tool("mdir", "-b", "-i", boot, "::/").split()
    assert not {"::/user-data", "::/meta-data", "::/network-config"} & {*names}
    kernel = subprocess.run(
        ["mtype", "-i", boot, "::/current/vmlinuz"], capture_output=True, check=True
    ).stdout
    assert kernel == KERNEL


def check_root(root: Path) -> None:
    tool("e2fsck", "-f", "-n", str(root))
    header = tool("dumpe2fs", "-h", str(root))
    assert f"Filesystem UUID:          {OWN.root_uuid}" in header
    blocks, size = (
        int(next(line for line in header.splitlines() if line.startswith(key)).split()[-1])
        for key in ("Block count:", "Block size:")
    )
    assert blocks * size > DISK_SIZE - MIB - IMAGE.root.start - size
    folder = "/var/lib/cloud/seed/nocloud"
    for name, content in DOCUMENTS.items():
        assert tool("debugfs", "-R", f"cat {folder}/{name}", str(root)) == content
        about = tool("debugfs", "-R", f"stat {folder}/{name}", str(root))
        assert "Mode:  0600" in about
        assert "User:     0   Group:     0" in about
    assert "nocloud-net" not in tool("debugfs", "-R", "ls /var/lib/cloud/seed", str(root))
    assert "fs_label: null" in tool("debugfs", "-R", "cat /etc/cloud/cloud.cfg.d/99-iluvatar.cfg", str(root))
    check_units(root)
    assert tool("debugfs", "-R", "cat /etc/fstab", str(root)).splitlines() == [
        "# /etc/fstab",
        f"PARTUUID={OWN.disk_id}-02 / ext4 defaults,discard 0 1",
        f"PARTUUID={OWN.disk_id}-01 /boot/firmware vfat defaults 0 1",
        "tmpfs /tmp tmpfs defaults 0 0",
    ]


def check_units(root: Path) -> None:
    """Check that systemd runs what begins an interrupted first boot anew, and what ends that."""
    for target, unit in (("sysinit", "first-boot"), ("cloud-init", "configured")):
        link = f"/etc/systemd/system/{target}.target.wants/iluvatar-{unit}.service"
        shown = tool("debugfs", "-R", f"stat {link}", str(root))
        assert f'Fast link dest: "../iluvatar-{unit}.service"' in shown
        unit_file = tool("debugfs", "-R", f"cat /etc/systemd/system/iluvatar-{unit}.service", str(root))
        assert "ConditionPathExists=!/var/lib/cloud/iluvatar-configured\n" in unit_file
