"""A Raspberry Pi's ``config.txt``: which files it names for a model (raspberrypi.com/documentation, config.txt)."""

from msgspec import Struct

from iluvatar_pxe.simulate.machine import Kind

_FILTERS = {Kind.PI3: {"pi3"}, Kind.PI4: {"pi4"}, Kind.PI5: {"pi5"}}
_INITRAMFS = {"kernel8.img": "initramfs8", "kernel_2712.img": "initramfs_2712"}


class PiConfig(Struct, frozen=True):
    """What the file says for one model; names are as they are asked for, with ``os_prefix``."""

    kernel: str = ""
    """Empty: the model's own list is tried."""
    initramfs: str = ""
    auto_initramfs: bool = False
    cmdline: str = "cmdline.txt"
    device_tree: str = ""
    overlays: tuple[str, ...] = ()
    os_prefix: str = ""
    boot_ramdisk: bool = False

    def initramfs_for(self, kernel: str) -> str:
        """Return the initramfs that goes with a kernel; empty: none."""
        if self.initramfs or not self.auto_initramfs:
            return self.initramfs
        return self.os_prefix + _INITRAMFS.get(kernel.removeprefix(self.os_prefix), "initramfs")


def read_config(text: str, kind: Kind) -> PiConfig:
    """Read the lines that hold for a model; what it does not ask for by name is passed over."""
    values: dict[str, str] = {}
    overlays: list[str] = []
    applies = True
    for line in (raw.partition("#")[0].strip() for raw in text.splitlines()):
        if line.startswith("["):
            applies = line.strip("[]").lower() in {"all", *_FILTERS[kind]}
        elif applies and line.startswith("initramfs "):
            values["initramfs"] = line.split()[1]
        elif applies and "=" in line:
            key, _, value = (part.strip() for part in line.partition("="))
            if key in {"dtoverlay", "device_tree_overlay"} and value:
                overlays.append(value.partition(",")[0].partition(":")[0])
            else:
                values[key] = value
    prefix = values.get("os_prefix", "")
    named = {key: prefix + values[key] for key in ("kernel", "initramfs", "device_tree") if values.get(key)}
    return PiConfig(
        **named,
        cmdline=prefix + (values.get("cmdline") or "cmdline.txt"),
        auto_initramfs=values.get("auto_initramfs") == "1",
        overlays=tuple(overlays),
        os_prefix=prefix,
        boot_ramdisk=values.get("boot_ramdisk") == "1",
    )
