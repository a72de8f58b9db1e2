"""The stand-in for Talos: Debian's kernel and a busybox that fetches its machine config and says so.

Its console prints ``LAB cmdline=…``, ``LAB address=… dns=…``, then ``LAB config-url=… sha256=… bytes=…`` or
``LAB failed=…``, and for each line ``# resolve NAME`` of its config ``LAB resolved=NAME to=…``. With the kernel argument
``lab.show`` it also prints the config, as ``LAB config=`` in Base64.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.lab.system.cache import cached
from iluvatar_pxe.lab.system.modules import load_order
from iluvatar_pxe.lab.system.packages import own_suite, place_in, unpack_package
from iluvatar_pxe.layers.ainur.installer import initramfs

_MODULES = ("virtio_pci", "virtio_net")
_APPLETS = (
    *("base64", "cat", "dmesg", "insmod", "ip", "mount", "nslookup", "poweroff", "sed"),
    *("sh", "sha256sum", "timeout", "udhcpc", "wc", "wget"),
)
_KERNEL_PACKAGE = {"amd64": "linux-image-cloud-amd64", "arm64": "linux-image-cloud-arm64"}
_SCRIPTS = Path(__file__).parent


class StandIn(Struct, frozen=True):
    """A kernel and its initramfs, as files on the host."""

    architecture: str
    kernel: Path
    initramfs: Path


def stand_in(cache: Path, architecture: str) -> StandIn:
    """Return the stand-in for ``architecture`` (``amd64``, ``arm64``); raises LabError.

    The packages are fetched once and kept in ``cache``; the initramfs is small and made anew when what
    it is made of has changed.
    """
    suite = own_suite()
    system = unpack_package(cache, _KERNEL_PACKAGE[architecture], suite, architecture)
    busybox = place_in(unpack_package(cache, "busybox-static", suite, architecture), "bin/busybox")
    modules = load_order(next(place_in(system, "lib/modules").iterdir()), *_MODULES)
    content = initramfs.pack(_entries(busybox.read_bytes(), modules))
    return StandIn(architecture, next((system / "boot").glob("vmlinuz-*")), _keep(cache, content))


def _entries(busybox: bytes, modules: Mapping[str, bytes]) -> list[initramfs.Entry]:
    return [
        *(initramfs.directory(path) for path in ("bin", "dev", "etc", "modules", "proc", "sys")),
        initramfs.console(),
        initramfs.file("bin/busybox", busybox, executable=True),
        *(initramfs.link(f"bin/{applet}", "busybox") for applet in _APPLETS),
        initramfs.file("init", (_SCRIPTS / "init.sh").read_bytes(), executable=True),
        initramfs.file("lease", (_SCRIPTS / "lease.sh").read_bytes(), executable=True),
        *(
            initramfs.file(f"modules/{number:02}-{name}.ko", content)
            for number, (name, content) in enumerate(modules.items())
        ),
    ]


def _keep(cache: Path, content: bytes) -> Path:
    """Put ``content`` under the name of its own checksum, so that no run changes another's file."""
    key = f"initramfs.{hashlib.sha256(content).hexdigest()[:16]}"

    def build(directory: Path) -> None:
        (directory / "initramfs.gz").write_bytes(content)

    return cached(cache, key, build) / "initramfs.gz"
