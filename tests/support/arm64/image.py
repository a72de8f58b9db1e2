"""A disk image of Debian 13 for arm64 with its kernel and its cloud-init, in the layout of Ubuntu's images for Pis.

It is made once, which takes some ten minutes of a processor, and kept in the user's cache (``XDG_CACHE_HOME``), which all
checkouts share: its name there is the sum of what it is made by. The firmware of a Raspberry Pi is in it by name only.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.debian import archive, run
from support.pi_images import MIB, run_tool

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.lab.system.cache import cached, default_cache
from iluvatar_pxe.layers.ainur.installer.layout import Installation, Layout

RELEASE = "trixie"
PACKAGES = (
    *("systemd", "systemd-sysv", "systemd-resolved", "systemd-timesyncd", "libpam-systemd", "dbus", "udev"),
    *("cloud-init", "netplan.io", "iproute2", "sudo", "openssh-server", "git", "e2fsprogs", "kmod"),
    *("linux-image-cloud-arm64", "initramfs-tools", "zstd"),
)
BOOT_SIZE, ROOT_SIZE = 256 * MIB, 1280 * MIB
LAYOUT = Layout(Partition(MIB, BOOT_SIZE), Partition(MIB + BOOT_SIZE, ROOT_SIZE))
OF_IMAGE = Installation("image", 0)
"""Whose ids and UUIDs it has, as all disks with it would have."""
_DEBOOTSTRAP, _LIKE_UBUNTU = (
    Path(__file__).with_name(f"{name}.sh") for name in ("debootstrap", "like_ubuntu")
)
_NEEDED = ("apt-get", "debootstrap", "qemu-aarch64-static", "unshare", "mkfs.ext4", "mkfs.vfat", "mcopy")
_ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_FIRMWARE = {
    "config.txt": "[all]\nkernel=vmlinuz\ncmdline=cmdline.txt\ninitramfs initrd.img followkernel\n",
    "cmdline.txt": "console=ttyAMA0 root=LABEL=writable rootfstype=ext4 rootwait fixrtc\n",
    "user-data": "#cloud-config\nhostname: of-the-image\n",
    "meta-data": "dsmode: local\ninstance_id: cloud-image\n",
    "network-config": "version: 2\nethernets: {eth0: {dhcp4: true, optional: true}}\n",
    **dict.fromkeys(("start4.elf", "fixup4.dat", "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb"), "stand-in\n"),
}


@dataclass(frozen=True)
class DebianImage:
    """Files that nobody may write to."""

    directory: Path

    @property
    def file(self) -> Path:
        """The whole disk, not compressed, and sparse."""
        return self.directory / "pi.img"

    @property
    def kernel(self) -> Path:
        """The kernel of its boot partition."""
        return self.directory / "boot/vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initrd of its boot partition, with all of the kernel's modules for disks and networks."""
        return self.directory / "boot/initrd.img"


def debian_image() -> DebianImage:
    """Return it, and make it where it is not there yet; skips where it cannot be made."""
    if os.geteuid() != 0 or not all(map(shutil.which, _NEEDED)):
        pytest.skip("needs root, apt, debootstrap, qemu-user-static, dosfstools and mtools")
    return DebianImage(
        cached(default_cache(), f"debian-arm64-image.{_sum_of(_LIKE_UBUNTU, Path(__file__))}", _make)
    )


def _system() -> Path:
    """Return the folder of the system as debootstrap has made it."""

    def build(directory: Path) -> None:
        words = (str(directory / "root"), RELEASE, archive(), ",".join(PACKAGES))
        run(*_ISOLATED, "sh", str(_DEBOOTSTRAP), *words)

    return cached(default_cache(), f"debian-arm64.{_sum_of(_DEBOOTSTRAP)}", build) / "root"


def _sum_of(*files: Path) -> str:
    """Return the sum of what something is made by."""
    recipe = [*(file.read_bytes() for file in (*files, _DEBOOTSTRAP)), *map(str.encode, (RELEASE, *PACKAGES))]
    return hashlib.sha256(b"\0".join(recipe)).hexdigest()[:12]


def _make(directory: Path) -> None:
    root, boot = directory / "root", directory / "boot"
    run("cp", "--archive", str(_system()), str(root))
    run("sh", str(_LIKE_UBUNTU), str(root), str(boot))
    for name, text in _FIRMWARE.items():
        (boot / name).write_text(text)
    image = directory / "pi.img"
    image.write_bytes(LAYOUT.table(OF_IMAGE, bootable=True))
    os.truncate(image, LAYOUT.root.end)
    fat = ("-F", "32", "-s", "1", "-n", "system-boot", f"--offset={LAYOUT.boot.start // 512}")
    run_tool("mkfs.vfat", *fat, str(image), str(BOOT_SIZE // 1024))
    run_tool("mcopy", "-i", f"{image}@@{LAYOUT.boot.start}", *map(str, sorted(boot.iterdir())), "::/")
    ext4 = ("-L", "writable", "-U", OF_IMAGE.root_uuid, "-E", f"offset={LAYOUT.root.start},root_owner=0:0")
    run_tool("mkfs.ext4", "-q", *ext4, "-d", str(root), str(image), f"{ROOT_SIZE // 1024}k")
    shutil.rmtree(root)
