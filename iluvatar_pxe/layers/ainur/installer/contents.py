"""What the provisioning system is made of: programs of Debian's packages for arm64, our scripts, and a kernel's modules."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from iluvatar_pxe.layers.ainur.installer.initramfs import Entry, console, directory, file, link, pack

_LIBRARIES = "aarch64-linux-gnu"
_GCONV = f"usr/lib/{_LIBRARIES}/gconv"

TOOLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "busybox-static": ("bin/busybox",),
        "zstd": ("usr/bin/zstd",),
        "netcat-traditional": ("bin/nc.traditional",),
        "mtools": ("usr/bin/mtools",),
        "util-linux": ("sbin/blkid",),
        "e2fsprogs": ("sbin/e2fsck", "sbin/tune2fs", "sbin/resize2fs"),
        "libc6": (
            f"lib/{_LIBRARIES}/ld-linux-aarch64.so.1",
            f"lib/{_LIBRARIES}/libc.so.6",
            f"{_GCONV}/gconv-modules",
            f"{_GCONV}/gconv-modules.d/gconv-modules-extra.conf",
            f"{_GCONV}/IBM850.so",
        ),
        "libext2fs2": (f"lib/{_LIBRARIES}/libext2fs.so.2", f"lib/{_LIBRARIES}/libe2p.so.2"),
        "libcom-err2": (f"lib/{_LIBRARIES}/libcom_err.so.2",),
        "libblkid1": (f"usr/lib/{_LIBRARIES}/libblkid.so.1",),
        "libuuid1": (f"usr/lib/{_LIBRARIES}/libuuid.so.1",),
        "zlib1g": (f"lib/{_LIBRARIES}/libz.so.1",),
        "liblzma5": (f"lib/{_LIBRARIES}/liblzma.so.5",),
        "liblz4-1": (f"usr/lib/{_LIBRARIES}/liblz4.so.1",),
    }
)
"""By Debian 12's packages, the files that are taken from them.

``mtools`` translates names by ``gconv``. busybox' ``nc`` copies 1 KiB at a time.
"""
_LINKS = (
    ("lib/ld-linux-aarch64.so.1", f"{_LIBRARIES}/ld-linux-aarch64.so.1"),
    *((f"sbin/{name}", "/usr/bin/mtools") for name in ("mcopy", "mdel", "mdir", "mtype")),
)
_EMPTY = ("dev", "proc", "sys", "run", "root", "tmp", "modules")
_SCRIPTS = "lib/iluvatar"


def pack_system(tools: Mapping[str, bytes], scripts: Mapping[str, bytes]) -> bytes:
    """Return the initramfs without modules: ``tools`` by their paths, ``scripts`` as ``boot_assets/installer`` has them."""
    init, *others = sorted(scripts.items(), key=lambda item: item[0] != "init")
    files = [
        file("init", init[1], executable=True),
        *(file(f"{_SCRIPTS}/{name}", content, executable=True) for name, content in sorted(others)),
        *(file(path, content, executable=True) for path, content in sorted(tools.items())),
        *(link(path, target) for path, target in _LINKS),
    ]
    return pack([*map(directory, _folders(files)), console(), *files])


def pack_modules(modules: Mapping[str, bytes]) -> bytes:
    """Return the initramfs of modules, to be appended; ``modules`` are in the order in which they load."""
    return pack(
        [
            directory("modules"),
            *(
                file(f"modules/{number:03}-{name}.ko", content)
                for number, (name, content) in enumerate(modules.items())
            ),
        ]
    )


def _folders(files: Iterable[Entry]) -> Iterator[str]:
    """Yield every folder, those above others first."""
    above = {str(folder) for one in files for folder in PurePosixPath(one.path).parents}
    return iter(sorted((above | {*_EMPTY}) - {"."}))
