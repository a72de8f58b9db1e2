"""The boot stage that fetching each file belongs to, and the processor that it is for."""

from pathlib import PurePosixPath

from iluvatar_pxe.boot.chains.raspberry_pi import BOOT_IMG, FOLDER, INITRAMFSES, KERNELS
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER, PROGRAMS
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.wire.pxe import CpuArch

_KERNEL_ARCH = {"kernel-amd64": CpuArch.X86_64, "kernel-arm64": CpuArch.ARM64}


def stage_of_asset(name: str) -> Stage | None:
    """Return the stage that fetching the asset ``name`` is, or None when it is part of none."""
    path = PurePosixPath(name)
    if path.parts[:1] == (PROGRAM_FOLDER,):
        return Stage.NBP
    if path.name.startswith("kernel-"):
        return Stage.KERNEL
    if path.name.startswith("initramfs-"):
        return Stage.INITRAMFS
    return None


def stage_of_pi_file(file: str) -> Stage | None:
    """Return the stage that fetching a Raspberry Pi's boot file is, or None when it is part of none.

    ``config.txt``, made for the machine, stands where iPXE's own script does.
    """
    if file == "config.txt":
        return Stage.SCRIPT
    if file == "bootcode.bin" or file.endswith(".elf"):
        return Stage.NBP
    if file in KERNELS:
        return Stage.KERNEL
    return Stage.INITRAMFS if file in INITRAMFSES else None


def arch_of_asset(name: str) -> CpuArch | None:
    """Return the processor that a kernel or an iPXE binary of this name is for, or None for any."""
    path = PurePosixPath(name)
    if path.parts[:1] == (PROGRAM_FOLDER,):
        fitting = {arch for (_platform, arch), programs in PROGRAMS.items() if path.name in programs}
        return next(iter(fitting)) if len(fitting) == 1 else None
    if path.parts[:1] == (FOLDER,):
        return CpuArch.ARM64 if path.name in KERNELS - {BOOT_IMG} else None
    return _KERNEL_ARCH.get(path.name)


def is_boot_file(name: str) -> bool:
    """Say whether an asset is a stage of a boot: firmware, an iPXE binary, a kernel or an initramfs."""
    path = PurePosixPath(name)
    if path.parts[:1] == (FOLDER,):
        return stage_of_pi_file(path.name) is not None
    return stage_of_asset(name) is not None
