"""The provisioning system as it is built from Debian's packages, with Debian's kernel in place of a Raspberry Pi's."""

from dataclasses import dataclass
from pathlib import Path

from iluvatar_pxe.lab.system.cache import cached
from iluvatar_pxe.lab.system.packages import Apt, place_in, unpack_package
from iluvatar_pxe.layers.ainur.installer.contents import TOOLS, pack_modules, pack_system
from iluvatar_pxe.layers.ainur.installer.deb import read_deb
from iluvatar_pxe.layers.ainur.installer.modules import load_order
from iluvatar_pxe.resources import data_directory

CACHE = Path(__file__).parents[2] / ".cache" / "iluvatar-pxe" / "lab"
"""As that of the lab's machines."""
_SUITE, _ARCHITECTURE = "bookworm", "arm64"
_MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "ext4")


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


def provisioning_system(directory: Path) -> ProvisioningSystem:
    """Build it in a directory."""
    tools: dict[str, bytes] = {}
    for name, deb in debs().items():
        tools.update(read_deb(deb.read_bytes(), TOOLS[name]))
    scripts = {
        path.name: path.read_bytes() for path in (data_directory("boot_assets") / "installer").iterdir()
    }
    kernel = unpack_package(CACHE, "linux-image-cloud-arm64", _SUITE, _ARCHITECTURE)
    tree = place_in(kernel, "lib/modules")
    modules = load_order({str(path): path.read_bytes for path in tree.rglob("*.ko*")}, _MODULES)
    initramfs = directory / "initramfs"
    initramfs.write_bytes(pack_system(tools, scripts) + pack_modules(modules))
    return ProvisioningSystem(next((kernel / "boot").glob("vmlinuz-*")), initramfs)
