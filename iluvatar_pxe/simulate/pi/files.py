"""Which files a Raspberry Pi asks for, in which order, and what it makes of those that are not there.

A generator for each model yields ``Ask`` and is sent the file's Content, or None where the server has none. The order
is that of captures (raspberrypi/firmware#1362, #1387, #1605, rpi-eeprom#74, #87, linux#7319, cmprovision#61).
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.errors import SimulateError
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.simulate.pi.config import PiConfig, read_config
from iluvatar_pxe.simulate.tftp_download import Manner
from iluvatar_pxe.simulate.timings import pi_manner
from iluvatar_pxe.wire.boot_file import fault_of
from iluvatar_pxe.wire.pxe import CpuArch

_EEPROM = (("tsize", "0"), ("blksize", "1468"))
_PI3 = (("tsize", "0"),)
"""bootcode.bin and start.elf of a Pi 3 (raspberrypi/firmware#1700)."""
_KERNELS = MappingProxyType(
    {
        Kind.PI3: ("kernel8.img", "kernel7.img", "kernel.img"),
        Kind.PI4: ("kernel8.img", "kernel7l.img", "kernel7.img", "kernel.img"),
        Kind.PI5: (
            "kernel_2712.img",
            "kernel8.img",
            "kernel8_rt.img",
            "kernel8-32.img",
            "kernel7l.img",
            "kernel.img",
        ),
    }
)
_DEVICE_TREES = MappingProxyType(
    {
        Kind.PI3: "bcm2710-rpi-3-b.dtb",
        Kind.PI4: "bcm2711-rpi-4-b.dtb",
        Kind.PI5: "bcm2712-rpi-5-b.dtb",
    }
)
_ASSETS = "iluvatar-pxe assets status shows whether its image is here"
_BOOT_IMG = "boot.img"
"""In place of everything else: a disk with all files, where config.txt says boot_ramdisk=1 (documentation, config.txt)."""
_PI3_RECOVERIES = ("recovery8.img", "recovery8-32.img", "recovery7.img", "recovery.img")


class Ask(Struct, frozen=True):
    """A file to ask for, in a stage of the boot; the answer may be that there is none."""

    name: str
    stage: str
    manner: Manner


Files = Generator[Ask, Content | None, None]
Answer = Generator[Ask, Content | None, Content | None]


@dataclass(slots=True)
class _Asking:
    """How one model asks, and under which prefix."""

    machine: Machine
    options: tuple[tuple[str, str], ...]
    prefix: str = ""

    @property
    def serial_prefix(self) -> str:
        return f"{self.machine.pi_serial:08x}/"

    def file(self, name: str, stage: str) -> Answer:
        return (yield Ask(self.prefix + name, stage, self._manner()))

    def needed(self, name: str, stage: str) -> Generator[Ask, Content | None, Content]:
        content = yield from self.file(name, stage)
        if content is None:
            raise SimulateError(
                f"the TFTP server has no file {self.prefix}{name}, without which it does not start; {_ASSETS}"
            )
        return _sound(name, content)

    def is_there(self, name: str, stage: str) -> Generator[Ask, Content | None, bool]:
        """Ask whether there is a file, and end the transfer early."""
        return (yield Ask(self.prefix + name, stage, self._manner(probe=True))) is not None

    def optional(self, stage: str, *names: str) -> Files:
        for name in names:
            yield from self.file(name, stage)

    def _manner(self, *, probe: bool = False) -> Manner:
        return pi_manner(*self.options, probe=probe, rolls_over=self.machine.kind is not Kind.PI3)

    def config(self, stage: str = "config.txt") -> Generator[Ask, Content | None, PiConfig]:
        content = yield from self.file("config.txt", stage)
        return read_config(content.text if content else "", self.machine.kind)


def rom_files(_machine: Machine) -> Files:
    """Ask as a Pi 3's ROM: without prefix and options, blocks of 512."""
    manner = pi_manner(rolls_over=False)
    content = yield Ask("bootcode.bin", "bootcode.bin", manner)
    if content is None:
        raise SimulateError(
            f"the TFTP server has no file bootcode.bin, without which it does not start; {_ASSETS}"
        )
    yield Ask("bootsig.bin", "bootcode.bin", manner)


def pi3_files(machine: Machine) -> Files:
    """Ask as bootcode.bin and start.elf of a Pi 3 B."""
    ask = _Asking(machine, _PI3)
    ask.prefix = ask.serial_prefix
    if not (yield from ask.is_there("start.elf", "prefix")):
        ask.prefix = ""
    yield from ask.optional("firmware", "autoboot.txt")
    yield from ask.config()
    yield from ask.optional("firmware", "recovery.elf")
    yield from ask.needed("start.elf", "firmware")
    yield from ask.needed("fixup.dat", "firmware")
    yield from ask.optional("firmware", "recovery.elf")
    yield from ask.config()
    yield from ask.optional("firmware", "dt-blob.bin", "recovery.elf")
    config = yield from ask.config()
    yield from ask.optional("firmware", "bootcfg.txt")
    yield from _device_tree(ask, config)
    yield from _overlays(ask, config)
    yield from ask.file(config.cmdline, "cmdline.txt")
    yield from ask.optional("firmware", *_PI3_RECOVERIES)
    yield from _initramfs(ask, config, config.kernel or "kernel8.img")
    yield from ask.optional("kernel", "kernel8-32.img")
    yield from _kernel(ask, config, probe=True, stubs=("armstub8.bin", "armstub8-32.bin"))


def pi4_files(machine: Machine) -> Files:
    """Ask as the EEPROM and start4.elf of a Pi 4."""
    ask = _Asking(machine, _EEPROM)
    ask.prefix = ask.serial_prefix
    found = yield from ask.is_there("start4.elf", "prefix")
    if not found and not (yield from ask.is_there("start.elf", "prefix")):
        ask.prefix = ""
    config = yield from ask.config()
    yield from _self_update(ask)
    if config.boot_ramdisk:
        yield from ask.needed(_BOOT_IMG, _BOOT_IMG)
        return
    yield from ask.optional("firmware", "recover4.elf", "recovery.elf")
    yield from ask.needed("start4.elf", "firmware")
    yield from ask.needed("fixup4.dat", "firmware")
    yield from ask.config()
    yield from ask.optional("firmware", "dt-blob.bin")
    config = yield from ask.config()
    yield from ask.optional("firmware", "bootcfg.txt")
    yield from _initramfs(ask, config, config.kernel or "kernel8.img")
    yield from _device_tree(ask, config)
    yield from _overlays(ask, config)
    yield from ask.file(config.cmdline, "cmdline.txt")
    yield from _kernel(ask, config, stubs=("armstub8-gic.bin",))


def pi5_files(machine: Machine) -> Files:
    """Ask as the EEPROM of a Pi 5, which needs no start.elf."""
    ask = _Asking(machine, _EEPROM)
    ask.prefix = ask.serial_prefix
    found = yield from ask.file("config.txt", "prefix")
    if found is None:
        ask.prefix = ""
    config = read_config(found.text, machine.kind) if found else (yield from ask.config())
    yield from _self_update(ask)
    if config.boot_ramdisk:
        yield from ask.needed(_BOOT_IMG, _BOOT_IMG)
        return
    yield from ask.optional("device tree", _DEVICE_TREES[Kind.PI5])
    config = yield from ask.config()
    yield from _initramfs(ask, config, config.kernel or "kernel_2712.img")
    yield from _device_tree(ask, config)
    yield from _overlays(ask, config)
    yield from ask.file(config.cmdline, "cmdline.txt")
    yield from _kernel(ask, config, stubs=("armstub8-2712.bin",))


FILES: Mapping[Kind, Callable[[Machine], Files]] = MappingProxyType(
    {Kind.PI3: pi3_files, Kind.PI4: pi4_files, Kind.PI5: pi5_files}
)
"""By model, all that is asked for once the network is there."""


def _sound(name: str, content: Content, arch: CpuArch | None = None) -> Content:
    """Return a file with which a Pi goes on; raises SimulateError where it would stop."""
    if fault := fault_of(content.head, content.size, arch):
        raise SimulateError(f"it does not start with {name}, which {fault}")
    return content


def _self_update(ask: _Asking) -> Files:
    if (yield from ask.file("pieeprom.sig", "self-update")) is not None:
        yield from ask.optional("self-update", "pieeprom.upd")


def _initramfs(ask: _Asking, config: PiConfig, kernel: str) -> Files:
    if name := config.initramfs_for(kernel):
        yield from ask.needed(name, "initramfs")


def _device_tree(ask: _Asking, config: PiConfig) -> Files:
    yield from ask.needed(
        config.device_tree or config.os_prefix + _DEVICE_TREES[ask.machine.kind], "device tree"
    )


def _overlays(ask: _Asking, config: PiConfig) -> Files:
    folder = config.os_prefix + "overlays/"
    yield from ask.optional("overlays", folder + "overlay_map.dtb")
    yield from ask.config()
    for name in config.overlays:
        yield from ask.optional("overlays", f"{folder}{name}.dtbo")


def _kernel(ask: _Asking, config: PiConfig, *, stubs: tuple[str, ...], probe: bool = False) -> Files:
    own = tuple(config.os_prefix + name for name in _KERNELS[ask.machine.kind])
    for name in (config.kernel,) if config.kernel else own:
        if probe and not (yield from ask.is_there(name, "kernel")):
            continue
        yield from ask.optional("kernel", *stubs)
        if content := (yield from ask.file(name, "kernel")):
            _sound(name, content, CpuArch.ARM64)
            return
    kernels = " nor ".join((config.kernel,) if config.kernel else own)
    raise SimulateError(f"the TFTP server has no kernel, neither {kernels}; {_ASSETS}")
