"""The provisioning system as it is built from Debian's packages, with Debian's kernel in place of a Raspberry Pi's."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from iluvatar_pxe.assets.unpack.deb import read_deb
from iluvatar_pxe.catalogue.provisioning import TOOLS
from iluvatar_pxe.lab.system.cache import cached
from iluvatar_pxe.lab.system.packages import Apt, place_in, unpack_package
from iluvatar_pxe.layers.ainur.installer.contents import pack_modules, pack_system
from iluvatar_pxe.layers.ainur.installer.modules import load_order
from iluvatar_pxe.resources import read_installer

CACHE = Path(__file__).parents[2] / ".cache" / "iluvatar-pxe" / "lab"
"""As that of the lab's machines."""
DOCUMENTS = {
    "meta-data": "instance-id: pi-1-1\n",
    "user-data": "#cloud-config\nhostname: ainur-01\n",
    "vendor-data": "",
    "network-config": "version: 2\n",
}
"""What the daemon has for the machine."""
needs_emulated_arm64 = [
    pytest.mark.firmware,
    pytest.mark.skipif(not shutil.which("qemu-system-aarch64"), reason="needs qemu-system-arm"),
    pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt"),
]
_SUITE, _ARCHITECTURE = "bookworm", "arm64"
_MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "ext4", "loop", "overlay")


@dataclass(frozen=True)
class ProvisioningSystem:
    """Files on this host."""

    kernel: Path
    initramfs: Path


def debs() -> dict[str, Path]:
    """Return the packages of ``TOOLS`` by their names."""

    def build(directory: Path) -> None:
        for file in Apt(directory / "apt", _SUITE, _ARCHITECTURE, "main").download(*TOOLS):
            file.rename(directory / f"{file.name.partition('_')[0]}.deb")

    folder = cached(CACHE, f"provisioning-tools.{_SUITE}.{_ARCHITECTURE}", build)
    return {name: folder / f"{name}.deb" for name in TOOLS}


def tools() -> dict[str, bytes]:
    """Return the programs by their paths."""
    found: dict[str, bytes] = {}
    for name, deb in debs().items():
        found.update(read_deb(deb.read_bytes(), TOOLS[name]))
    return found


def kernel_files() -> Path:
    """Return the folder with the files of the kernel's package."""
    return unpack_package(CACHE, "linux-image-cloud-arm64", _SUITE, _ARCHITECTURE)


def kernel_modules() -> Mapping[str, bytes]:
    """Return what QEMU's disks and network need, and a root in memory, in the order in which they load."""
    tree = place_in(kernel_files(), "lib/modules")
    return load_order({str(path): path.read_bytes for path in tree.rglob("*.ko*")}, _MODULES)


def provisioning_system(directory: Path) -> ProvisioningSystem:
    """Build it in a directory."""
    return started_by(pack_system(tools(), read_installer()) + pack_modules(kernel_modules()), directory)


def started_by(initramfs: bytes, directory: Path) -> ProvisioningSystem:
    """Return the kernel with an initramfs, of which a file is made in a directory."""
    (directory / "initramfs").write_bytes(initramfs)
    return ProvisioningSystem(next((kernel_files() / "boot").glob("vmlinuz-*")), directory / "initramfs")
