"""raspberry-pi: a Pi's own firmware fetches an image's boot files by TFTP, and starts its kernel."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.chains.hold import hold_for, hold_without, hold_without_files
from iluvatar_pxe.boot.plan import Hold, ServePiFiles, ToBeMade
from iluvatar_pxe.catalogue.coming import find
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.fleet.layers import K3sLayer, names_datasource
from iluvatar_pxe.machines.raspberry_pi import Generation, generation_of
from iluvatar_pxe.machines.states import LayerKind

FOLDER = "raspberry-pi"
"""Folder of the assets directory with a folder for each image."""
APART = "raspberry-pi-firmware/"
"""Folder with a folder for each version of the firmware that is downloaded apart from images, for those without any."""
BOOT_IMG = "boot.img"
PARTITIONS = BOOT_PARTITION, ROOT_PARTITION = "boot.img.zst", "root.img.zst"
"""An unpacked image's two partitions, compressed: what is installed."""
CURRENT = "current/"
"""Where Ubuntu's images have had kernel, initrd, device trees, overlays and cmdline.txt since 25.10, see their os_prefix.

They are served without it: firmware uses overlays below a prefix only where ``overlays/README`` is, too
(home-assistant/operating-system#3079), and takes only short prefixes (raspberrypi/firmware#1720).
"""
CMDLINE = "cmdline.txt"
LARGEST_FILE = 30_000_000
"""Largest file, in bytes, that every Pi can download.

It gives a file 30 s, one block at a time, and firmware before 2025-09-23 counts at most 65,535 blocks: 33 MB
of 512 bytes (rpi-eeprom#720, #687).
"""


class _Loaded(NamedTuple):
    kernel: str
    initramfs: str


_UBUNTU = _Loaded("vmlinuz", "initrd.img")
_RASPBERRY_PI_OS = _Loaded("kernel8.img", "initramfs8")
_RASPBERRY_PI_OS_5 = _Loaded("kernel_2712.img", "initramfs_2712")
_ALL_LOADED = (_UBUNTU, _RASPBERRY_PI_OS_5, _RASPBERRY_PI_OS)
KERNELS = frozenset(one.kernel for one in _ALL_LOADED) | {BOOT_IMG}
INITRAMFSES = frozenset(one.initramfs for one in _ALL_LOADED)

_FIRMWARE: Mapping[Generation, tuple[str, ...]] = MappingProxyType(
    {
        Generation.PI3: ("bootcode.bin", "start.elf", "fixup.dat"),
        Generation.PI4: ("start4.elf", "fixup4.dat"),
        Generation.PI5: (),
    }
)
"""Without these it does not start; a Pi 5 has them in its EEPROM."""
_FILES: Mapping[Generation, re.Pattern[str]] = MappingProxyType(
    {
        Generation.PI3: re.compile(
            r"bootcode\.bin|start(_cd|_x|_db)?\.elf|fixup(_cd|_x|_db)?\.dat|bcm(2709|2710|2837)[\w.+-]*\.dtb"
        ),
        Generation.PI4: re.compile(r"start4(cd|x|db)?\.elf|fixup4(cd|x|db)?\.dat|bcm2711[\w.+-]*\.dtb"),
        Generation.PI5: re.compile(r"bcm2712[\w.+-]*\.dtb"),
    }
)
_OVERLAYS = re.compile(r"overlays/([\w.+-]+\.dtbo|(overlay|hat)_map\.dtb)")
_EEPROM = re.compile(r"pieeprom\.(bin|upd|sig)|recovery\.bin|vl805\.(bin|sig)")


def plan(subject: Subject) -> ServePiFiles | Hold:
    """Serve the image's files that this generation of Pi needs; hold while one of them is not there."""
    layer = subject.fleet.k3s(subject.case.layer)
    if not subject.case.is_pi:
        trouble = (
            f"chain raspberry-pi needs a Raspberry Pi's own firmware, not {subject.case.sighting.firmware}"
        )
        return hold_for(subject, trouble, f"assign it to {subject.layers_of(LayerKind.TALOS)}")
    if layer is None:
        return hold_without(subject, LayerKind.K3S)
    if generation_of(subject.case.product) is None and (board := subject.case.board.lstrip("0")):
        trouble = f"it is a Raspberry Pi of an unknown model: its revision is {board}"
        return hold_for(subject, trouble, "install a newer version of iluvatar-pxe, which may know it")
    if twin := subject.case.twin:
        return hold_for(
            subject,
            f"it tells the serial number of {twin}",
            f"if they are one Pi: iluvatar-pxe machines merge {subject.title} {twin}; else find out which one it is",
        )
    image = subject.options.image or layer.image
    if image is None:
        return hold_for(subject, f"layers/{subject.case.layer}.yaml has no image", "add 'image:' to it")
    return _serve(subject, layer, f"{FOLDER}/{image}")


def _serve(subject: Subject, layer: K3sLayer, folder: str) -> ServePiFiles | Hold:
    generation = generation_of(subject.case.product)
    paths = _paths(subject.ready, f"{folder}/")
    image = frozenset(paths)
    ramdisk = BOOT_IMG in image and generation is not Generation.PI3
    loaded = _loaded(generation, image)
    needed = () if ramdisk else _needed(generation, loaded)
    missing = [_awaited(subject, folder, name) for name in needed if name not in image]
    arguments = (*layer.kernel_args, *(subject.options.kernel_args or ()))
    config = _configuration(subject, arguments)
    installs = config is not None and image >= {*PARTITIONS, loaded.initramfs}
    if missing := missing + [name for name in TOOL_FILES.values() if installs and name not in subject.ready]:
        return hold_without_files(subject, missing)
    update = layer.eeprom_update if subject.options.eeprom_update is None else subject.options.eeprom_update
    files = _fitting(image, generation, update=update) | image.intersection(loaded)
    return ServePiFiles(
        why=f"{subject.why}, image {folder.removeprefix(f'{FOLDER}/')}",
        chain="raspberry-pi",
        name=subject.title,
        folder=folder,
        files={name: paths[name] for name in (files | {BOOT_IMG} if ramdisk else files)},
        cmdline=paths.get(CMDLINE, ""),
        kernel=loaded.kernel,
        initramfs=loaded.initramfs if loaded.initramfs in image else "",
        ramdisk=ramdisk,
        config_lines=layer.config_txt,
        kernel_args=arguments,
        config=config,
        installs=installs,
    )


def _configuration(subject: Subject, arguments: tuple[str, ...]) -> ToBeMade | None:
    """Have the daemon configure a machine that has its place, unless the fleet names another source of cloud-init's."""
    if subject.role is None or any(map(names_datasource, arguments)):
        return None
    return ToBeMade(subject.case.layer or "", subject.role)


@lru_cache(maxsize=16)
def _paths(ready: frozenset[str], folder: str) -> Mapping[str, str]:
    """Return the assets that are an image's files, by their names in it. A Pi asks some forty times in a boot."""
    names = {name.removeprefix(folder): name for name in ready if name.startswith(folder)}
    current = {name.removeprefix(CURRENT): path for name, path in names.items() if name.startswith(CURRENT)}
    return MappingProxyType(_apart(ready, names) | names | current)


def _apart(ready: frozenset[str], image: Mapping[str, str]) -> dict[str, str]:
    """Return the firmware that an image lacks: of each generation all or nothing, as ``start`` and ``fixup`` are a pair.

    Of several versions it is the last by name; their names are dates.
    """
    there = {name.rpartition("/")[2]: name for name in sorted(ready) if name.startswith(APART)}
    lacking = [
        names for names in _FIRMWARE.values() if BOOT_IMG not in image and image.keys().isdisjoint(names)
    ]
    return {name: there[name] for names in lacking if there.keys() >= {*names} for name in names}


def _awaited(subject: Subject, folder: str, name: str) -> str:
    """Return which file is missing: the image's, unless firmware is coming apart from it."""
    coming = subject.case.context.coming
    apart = [one for one in coming if one.startswith(APART) and one.endswith(f"/{name}")]
    return apart[-1] if apart and find(f"{folder}/{name}", coming) is None else f"{folder}/{name}"


@lru_cache(maxsize=64)
def _fitting(image: frozenset[str], generation: Generation | None, *, update: bool) -> frozenset[str]:
    """Return those that a Pi of this generation, or of any where that is not known, may have."""
    patterns = [_OVERLAYS, *(_FILES[one] for one in ([generation] if generation else Generation))]
    if update and generation is not Generation.PI3:
        patterns.append(_EEPROM)
    return frozenset(name for name in image if any(pattern.fullmatch(name) for pattern in patterns))


def _loaded(generation: Generation | None, image: frozenset[str]) -> _Loaded:
    """Return the kernel of the image that this Pi is to start; Ubuntu's, for the message, where it has none."""
    for one in _ALL_LOADED:
        if one.kernel in image and (one is not _RASPBERRY_PI_OS_5 or generation is Generation.PI5):
            return one
    return _UBUNTU


def _needed(generation: Generation | None, loaded: _Loaded) -> tuple[str, ...]:
    """Of a Pi that does not tell its generation only the kernel is certain."""
    return (*(_FIRMWARE[generation] if generation else ()), loaded.kernel)
