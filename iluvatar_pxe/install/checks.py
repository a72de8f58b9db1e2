"""Checks before anything is changed; each raises InstallError with the obstacle."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from iluvatar_pxe.errors import InstallError

_MOUNTS = Path("/proc/self/mountinfo")


def check_inside(root: Path, places: Iterable[Path]) -> None:
    """Refuse places whose symlinks lead out of ``root``, as absolute ones in an image do."""
    for place in places:
        leads_to = place.parent.resolve()
        if not leads_to.is_relative_to(root):
            raise InstallError(
                f"{place.parent}: points to {leads_to}, outside {root}; run this on the running system"
            )


def check_no_link(directory: Path) -> None:
    """Refuse a state directory that is a link: with one the service does not start."""
    if directory.is_symlink():
        raise InstallError(
            f"{directory}: is a symlink; mount --bind {directory.readlink()} there instead, and try again"
        )


def check_unmasked(unit: Path) -> None:
    """Refuse a unit that somebody has masked, which is a link to /dev/null."""
    if unit.is_symlink() and unit.readlink() == Path("/dev/null"):
        raise InstallError(f"{unit}: is masked; run systemctl unmask {unit.name} and try again")


def check_unmounted(directories: Iterable[Path]) -> None:
    """Refuse directories that something is mounted on or below: it would be emptied with them."""
    mounts = mount_points(os.fsdecode(_MOUNTS.read_bytes()))
    for directory in directories:
        place = directory.parent.resolve() / directory.name
        if mount := next((one for one in mounts if one.is_relative_to(place)), None):
            raise InstallError(f"{mount}: is a mount point; unmount it and try again")


def mount_points(mountinfo: str) -> list[Path]:
    """Return the places in ``/proc/self/mountinfo``, see proc(5); blanks in them are written in octal."""
    fields = (line.split(" ")[4] for line in mountinfo.removesuffix("\n").split("\n"))
    return [Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)) for field in fields]
