"""Which stage of a boot it is to fetch a file."""

from pathlib import PurePosixPath

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
