"""Which disk of a machine Talos is installed on. Pure.

Talos takes the first disk that fits, and its installer makes a new partition table whatever was there. So one disk is
chosen here and named, or none: nothing is guessed.
"""

from collections.abc import Sequence

from msgspec import Struct

from iluvatar_pxe.fleet.disk_selector import DiskSelector
from iluvatar_pxe.layers import disk_matching
from iluvatar_pxe.layers.disk_matching import names_one, none_fits, why_not, why_unfit
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection

SMALLEST = 10 * 10**9
"""Bytes; Talos' own partitions take more than half of it."""
SYSTEM_PARTITIONS = frozenset({"EFI", "BIOS", "BOOT", "META", "STATE", "EPHEMERAL", "IMAGECACHE"})
_USER_VOLUMES = ("u-", "r-", "s-")
"""Begin the labels of the volumes that a configuration of Talos names."""
_META = "META"
"""Where this partition is, Talos counts as installed: it installs nothing, and boots as that disk says."""


class DiskChoice(Struct, frozen=True, kw_only=True):
    """A disk that was read from the machine's hardware. ``serial`` and ``wwid`` name it; one of them may be empty."""

    serial: str = ""
    wwid: str = ""
    bus_path: str = ""
    """Where it is plugged in; it names only a disk that has neither."""
    size: int
    """Bytes."""
    path: str
    """Where Talos had it when it was read, such as ``/dev/nvme0n1``; this may change at any boot."""
    model: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """As ``machines.inspection.Disk.identity``."""
        return self.serial, self.wwid, self.bus_path

    @property
    def is_lasting(self) -> bool:
        """Say whether its name goes with the disk, wherever that is plugged in."""
        return bool(self.serial or self.wwid)

    @property
    def is_named(self) -> bool:
        """Say whether it can be told from any other disk of the machine."""
        return self.is_lasting or bool(self.bus_path)


class Chosen(Struct, frozen=True):
    """The disk, and in words why this one."""

    disk: DiskChoice
    why: str


class Held(Struct, frozen=True):
    """Why no disk is chosen, and what to do, in words. ``talos``: one disk has to be wiped first, at a boot of its own."""

    reason: str
    remedy: str
    talos: bool = False


def choose(
    inspection: Inspection, selector: DiskSelector | None, *, title: str, wipes: bool = False
) -> Chosen | Held:
    """Return the disk that Talos is installed on, or why it has to be named first.

    ``selector`` is the machine's or its layer's, ``title`` what the machine is called. ``wipes``: whoever asked for the install said that any disk that is
    chosen may be erased.
    """
    disks = inspection.disks
    found = [disk for disk in disks if not why_not(disk, disks, selector, SMALLEST)]
    if not found:
        return Held(*none_fits(selector))
    smallest = min(disk.size for disk in found)
    best = [disk for disk in found if disk.size == smallest or names_one(selector)]
    if len(best) > 1:
        paths = " and ".join(disk.path for disk in best)
        return Held(
            f"{paths} cannot be told apart: both fit", "name one by 'disk' in its file, such as by its serial"
        )
    (disk,) = best
    if held := _talos_in_the_way(disk, inspection, title):
        return held
    if disk.contents and not (wipes or names_one(selector) or _is_ours(disk, inspection)):
        return Held(
            f"{disk.path} is not empty: {contents_words(disk)}",
            f"name it by 'disk' in its file, or allow to erase it: {_wiping(title)}",
        )
    return Chosen(choice_of(disk), _why(found, selector))


def choice_of(disk: Disk) -> DiskChoice:
    """Return what names a disk in a configuration."""
    serial, wwid, bus_path = disk.identity
    return DiskChoice(
        serial=serial, wwid=wwid, bus_path=bus_path, size=disk.size, path=disk.path, model=disk.model
    )


def contents_words(disk: Disk) -> str:
    """Return what is on a disk, as far as Talos recognises it; empty where that is nothing."""
    return "Talos is installed on it" if is_talos(disk) else disk_matching.contents_words(disk)


def is_talos(disk: Disk) -> bool:
    """Say whether Talos is installed on a disk, by its own rule."""
    return any(one.is_partition and one.label == _META for one in disk.contents)


def may_be_used(disk: Disk) -> bool:
    """Say whether it is a disk that Talos could be installed on, as far as it tells by itself."""
    return not why_unfit(disk, (), SMALLEST)


def _wiping(title: str) -> str:
    return f"iluvatar-pxe machines reinstall {title} --wipe"


def _talos_in_the_way(disk: Disk, inspection: Inspection, title: str) -> Held | None:
    """Return what keeps Talos from installing onto a disk: it would boot what it finds installed."""
    for other in inspection.disks:
        if is_talos(other) and not (other is disk and _is_ours(disk, inspection)):
            return Held(
                f"Talos is already installed on {other.path}, not by this machine's last install, "
                "and would not be installed again",
                f"wipe that: {_wiping(title)}",
                talos=True,
            )
    return None


def _is_ours(disk: Disk, inspection: Inspection) -> bool:
    """Say whether a disk holds only the Talos that this machine was told to install there."""
    partitions = [one for one in disk.contents if one.is_partition]
    return disk.identity == inspection.given and bool(partitions) and all(map(_is_of_talos, partitions))


def _is_of_talos(content: Content) -> bool:
    return content.label in SYSTEM_PARTITIONS or content.label.startswith(_USER_VOLUMES)


def _why(found: Sequence[Disk], selector: DiskSelector | None) -> str:
    if names_one(selector):
        return "the fleet names it"
    of_which = "that the fleet's 'disk' means" if selector else "that is an SSD or NVMe and not removable"
    return f"the {'only' if len(found) == 1 else 'smallest'} disk {of_which}"
