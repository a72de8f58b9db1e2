"""Disk images of Raspberry Pis, made with Debian's tools and without root, in the layouts that publishers use."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

MIB = 1 << 20
BOOT_START = MIB
BOOT_SIZE = 40 * MIB
"""FAT32 needs so much."""
ROOT_START = BOOT_START + BOOT_SIZE
ROOT_SIZE = 8 * MIB
_TOOLS = ("mkfs.vfat", "mcopy", "mkfs.ext4", "sfdisk", "debugfs")
_PATHS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_TYPES = {
    "dos": ("c", "83"),
    "gpt": ("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
}

needs_tools = pytest.mark.skipif(
    any(shutil.which(tool, path=_PATHS) is None for tool in _TOOLS),
    reason="mtools, dosfstools, e2fsprogs and fdisk are not installed",
)

STATUS = """\
Package: cloud-init
Status: install ok installed
Architecture: all
Version: 25.1.4-0ubuntu0~24.04.1
Description: initialization
 Version: 1 is not this

Package: open-iscsi
Status: deinstall ok config-files
Version: 2.1.9

Package: nfs-common
Status: install ok installed
Version: 1:2.6.4-3ubuntu5

Package: linux-raspi
Status: install ok installed
Version: 6.8.0-1031.31
"""
VERSIONS = {
    "cloud-init": "25.1.4-0ubuntu0~24.04.1",
    "nfs-common": "1:2.6.4-3ubuntu5",
    "linux-raspi": "6.8.0-1031.31",
}


def _filled(*names: str) -> dict[str, bytes]:
    return {name: f"{name}\n".encode() * (number * 211 + 1) for number, name in enumerate(names)}


_FIRMWARE = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
_LOADED = (
    "vmlinuz",
    "initrd.img",
    "bcm2710-rpi-3-b.dtb",
    "bcm2710-rpi-3-b-plus.dtb",
    "bcm2711-rpi-4-b.dtb",
    "bcm2712-rpi-5-b.dtb",
    "overlays/overlay_map.dtb",
    "overlays/vc4-kms-v3d-pi4.dtbo",
    "overlays/README",
)
_CMDLINE = b"console=serial0,115200 root=LABEL=writable rootfstype=ext4 rootwait fixrtc\n"
UBUNTU_24_04: Mapping[str, bytes] = MappingProxyType(
    {
        **_filled(
            *_FIRMWARE, *_LOADED, "uboot_rpi_arm64.bin", "boot.scr", "meta-data", "user-data", "README"
        ),
        "cmdline.txt": _CMDLINE,
        "config.txt": b"[all]\nkernel=vmlinuz\ncmdline=cmdline.txt\ninitramfs initrd.img followkernel\n",
        "network-config": b"",
    }
)
UBUNTU_26_04: Mapping[str, bytes] = MappingProxyType(
    {
        **_filled(*_FIRMWARE, *(f"current/{name}" for name in _LOADED), "meta-data", "user-data", "README"),
        "current/cmdline.txt": _CMDLINE,
        "current/state": b"good",
        "autoboot.txt": b"[all]\ntryboot_a_b=1\n",
        "config.txt": b"[all]\nos_prefix=current/\n\n[tryboot]\nos_prefix=new/\n\n[all]\nkernel=vmlinuz\n",
    }
)
RASPBERRY_PI_OS: Mapping[str, bytes] = MappingProxyType(
    {
        **_filled(*_FIRMWARE, *_LOADED[2:], "kernel8.img", "kernel_2712.img", "initramfs8", "initramfs_2712"),
        "cmdline.txt": b"console=serial0,115200 root=PARTUUID=7f8b2c1d-02 rootfstype=ext4 fsck.repair=yes rootwait\n",
        "config.txt": b"[all]\nauto_initramfs=1\n",
        "LICENCE.broadcom": b"...",
        "issue.txt": b"Raspberry Pi reference",
    }
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What an image has."""

    boot: Mapping[str, bytes] = field(default_factory=lambda: UBUNTU_24_04)
    status: str | None = STATUS
    table: str = "dos"
    fat: int = 32
    label: str = "system-boot"


def make_image(directory: Path, layout: Layout) -> Path:
    """Make an image in an empty directory, not compressed."""
    image = directory / "pi.img"
    boot = make_fat(directory, layout.boot, layout.fat, layout.label)
    root = make_ext4(directory, layout.status)
    first, second = _TYPES[layout.table]
    image.touch()
    os.truncate(image, ROOT_START + ROOT_SIZE + MIB)  # GPT has a copy of the table at the end
    script = (
        f"label: {layout.table}\n"
        f"start={BOOT_START // 512}, size={BOOT_SIZE // 512}, type={first}\n"
        f"start={ROOT_START // 512}, size={ROOT_SIZE // 512}, type={second}\n"
    )
    run_tool("sfdisk", "--quiet", str(image), text=script)
    place(image, BOOT_START, boot.read_bytes())
    place(image, ROOT_START, root.read_bytes())
    return image


def place(image: Path, offset: int, data: bytes) -> None:
    """Write into an image."""
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def make_fat(directory: Path, files: Mapping[str, bytes], fat: int = 32, label: str = "system-boot") -> Path:
    """Make a FAT file system with these files."""
    volume, tree = directory / "boot.fat", directory / "boot"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    volume.touch()
    os.truncate(volume, BOOT_SIZE)
    run_tool("mkfs.vfat", "-F", str(fat), "-s", "1" if fat == 32 else "2", "-n", label, str(volume))
    run_tool("mcopy", "-s", "-i", str(volume), *map(str, sorted(tree.iterdir())), "::/")
    return volume


def make_ext4(directory: Path, status: str | None) -> Path:
    volume, tree = directory / "root.ext4", directory / "root"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/hostname").write_text("ubuntu\n")
    if status is not None:
        (tree / "var/lib/dpkg").mkdir(parents=True)
        (tree / "var/lib/dpkg/status").write_text(status)
    volume.touch()
    os.truncate(volume, ROOT_SIZE)
    run_tool("mkfs.ext4", "-q", "-L", "writable", "-d", str(tree), str(volume))
    return volume


def run_tool(*command: str, text: str = "") -> None:
    environment = {**os.environ, "PATH": _PATHS, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    subprocess.run(command, input=text, text=True, capture_output=True, check=True, env=environment)
