"""The assets of a Raspberry Pi that is installed: an image that was taken apart, and the provisioning system's programs."""

import gzip
import json
from collections.abc import Mapping

from iluvatar_pxe.boot.chains.raspberry_pi import BOOT_PARTITION, FOLDER, ROOT_PARTITION
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.layers.ainur.installer.initramfs import Entry, directory, file, pack

MIB = 1 << 20
START, SIZE = 17 * MIB, 32 * MIB
"""Of the root partition."""


def initrd(modules: Mapping[str, bytes]) -> bytes:
    """Return an image's own initrd: an archive that is not compressed before the one that is."""
    entries: list[Entry] = [directory("lib"), *(file(f"lib/{name}", one) for name, one in modules.items())]
    return gzip.decompress(pack([file("early", b"cpio")])) + bytes(512) + pack(entries)


def facts() -> bytes:
    """Return what unpacking has found out of an image whose partitions are of no content."""

    def part(name: str, start: int, size: int) -> dict[str, object]:
        return {"file": name, "start": start, "sha256": "ab" * 32, "size": 99, "uncompressed_size": size}

    return json.dumps(
        {"boot": part(BOOT_PARTITION, MIB, 16 * MIB), "root": part(ROOT_PARTITION, START, SIZE)}
    ).encode()


def installable(image: str) -> dict[str, bytes]:
    """Return the files by their logical names, with contents that boot nothing."""
    names = ("vmlinuz", "start4.elf", "fixup4.dat", "bcm2712-rpi-5-b.dtb", BOOT_PARTITION, ROOT_PARTITION)
    folder = f"{FOLDER}/{image}"
    return {
        **{f"{folder}/{name}": name.encode() for name in names},
        f"{folder}/cmdline.txt": b"root=LABEL=writable\n",
        f"{folder}/initrd.img": initrd({"genet.ko": b"\x7fELF\0depends=\0", "other.ko": b"never"}),
        f"{folder}/facts.json": facts(),
        **{name: path.encode() for path, name in TOOL_FILES.items()},
    }
