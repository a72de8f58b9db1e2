"""The boot stage that fetching each file belongs to."""

from pathlib import PurePosixPath

from iluvatar_pxe.boot.chains.raspberry_pi import INITRAMFSES, KERNELS
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.machines.boots import Stage


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
