"""The programs that the system which installs Raspberry Pis is made of."""

from collections.abc import Mapping
from types import MappingProxyType

from iluvatar_pxe.catalogue.names import PROVISIONING

_LIBRARIES = "aarch64-linux-gnu"
_GCONV = f"usr/lib/{_LIBRARIES}/gconv"

TOOLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "busybox-static": ("bin/busybox",),
        "zstd": ("usr/bin/zstd",),
        "netcat-traditional": ("bin/nc.traditional",),
        "mtools": ("usr/bin/mtools",),
        "util-linux": ("sbin/blkid",),
        "e2fsprogs": ("sbin/e2fsck", "sbin/mke2fs", "sbin/tune2fs", "sbin/resize2fs"),
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

TOOL_FILES: Mapping[str, str] = MappingProxyType(
    {path: f"{PROVISIONING}/{path}" for paths in TOOLS.values() for path in paths}
)
"""By their paths in that system, the logical names of the assets."""
