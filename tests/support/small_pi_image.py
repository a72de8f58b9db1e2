"""A small image in Ubuntu's layout as the parts that are streamed, with more in it than one request asks for."""

import hashlib
import lzma
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import zstandard
from support.pi_images import BOOT_SIZE, BOOT_START, MIB, ROOT_START, UBUNTU_26_04, make_fat, run_tool

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.layers.ainur.installer.layout import Installation, Layout
from iluvatar_pxe.layers.ainur.installer.protocol import Compression, ImagePart

ROOT_SIZE = 16 * MIB
IMAGE = Layout(Partition(BOOT_START, BOOT_SIZE), Partition(ROOT_START, ROOT_SIZE))
FSTAB = """\
# /etc/fstab
LABEL=writable / ext4 defaults,discard 0 1
LABEL=system-boot /boot/firmware vfat defaults 0 1
tmpfs /tmp tmpfs defaults 0 0
"""
_CLOUD_INIT: Mapping[str, bytes] = MappingProxyType({"etc/cloud/cloud.cfg.d/README": b""})
_INIT = Path(__file__).with_name("memory_init.sh")
KERNEL = random.Random(17).randbytes(20 * MIB)


@dataclass(frozen=True)
class SmallPiImage:
    """Its compressed parts in a folder."""

    folder: Path
    layout: Layout = IMAGE

    def parts(self, path: Callable[[str], str]) -> tuple[ImagePart, ...]:
        return (
            self._part("boot.zst", BOOT_START, Compression.ZSTD, path),
            self._part("root.xz", ROOT_START, Compression.XZ, path),
        )

    def root(self, path: Callable[[str], str]) -> ImagePart:
        """Return the part of a ``runnable_image``."""
        return self._part("root.zst", ROOT_START, Compression.ZSTD, path)

    def _part(
        self, name: str, offset: int, compression: Compression, path: Callable[[str], str]
    ) -> ImagePart:
        content = (self.folder / name).read_bytes()
        return ImagePart(
            offset=offset,
            compression=compression,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            path=path(name),
        )


def small_pi_image(directory: Path) -> SmallPiImage:
    """Make it in an empty directory."""
    served = directory / "served"
    served.mkdir()
    boot, root = _partitions(directory, {}, _CLOUD_INIT)
    (served / "boot.zst").write_bytes(zstandard.compress(boot))
    (served / "root.xz").write_bytes(lzma.compress(root, preset=0))
    return SmallPiImage(served)


def runnable_image(directory: Path, files: Mapping[str, bytes]) -> SmallPiImage:
    """Make the root file system alone, with these executable files, in an empty directory."""
    served = directory / "served"
    served.mkdir()
    root = _root(directory, files, ROOT_SIZE + sum(map(len, files.values()))).read_bytes()
    (served / "root.zst").write_bytes(zstandard.compress(root))
    return SmallPiImage(served, Layout(IMAGE.boot, Partition(ROOT_START, len(root))))


def runnable(busybox: bytes) -> dict[str, bytes]:
    """Return the files of a root file system whose init says what it finds, by their paths."""
    return {**_CLOUD_INIT, "bin/busybox": busybox, "bin/sh": busybox, "sbin/init": _INIT.read_bytes()}


def whole_image(
    directory: Path, files: Mapping[str, bytes], root_files: Mapping[str, bytes] = _CLOUD_INIT
) -> Path:
    """Make the same as a disk image in an empty directory, with these files in its partitions."""
    image = directory / "pi.img"
    boot, root = _partitions(directory, files, root_files)
    table = IMAGE.table(Installation("image", 0), bootable=True)
    image.write_bytes(table.ljust(BOOT_START, b"\0") + boot + root)
    return image


def _partitions(
    directory: Path, files: Mapping[str, bytes], root_files: Mapping[str, bytes]
) -> tuple[bytes, bytes]:
    boot = make_fat(directory, {**UBUNTU_26_04, "current/vmlinuz": KERNEL, **files})
    return boot.read_bytes(), _root(directory, root_files).read_bytes()


def _root(directory: Path, files: Mapping[str, bytes], size: int = ROOT_SIZE) -> Path:
    volume, tree = directory / "root.ext4", directory / "root"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/fstab").write_text(FSTAB)
    (tree / "var/lib/cloud/seed/nocloud-net").mkdir(parents=True)
    (tree / "var/lib/cloud/seed/nocloud-net/user-data").write_text("#cloud-config\n")
    for folder in ("dev", "proc", "sys", "run", "mnt", "tmp"):
        (tree / folder).mkdir()
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
        (tree / name).chmod(0o755)
    volume.touch()
    os.truncate(volume, -(-size // MIB) * MIB)
    run_tool("mkfs.ext4", "-q", "-L", "writable", "-d", str(tree), str(volume))
    return volume
