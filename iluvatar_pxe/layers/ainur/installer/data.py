"""Which file system of a machine keeps what lasts, or on which empty disk one is made, or why neither. Pure.

One that is there is used as it is. Nothing but an empty disk is ever formatted.
"""

from collections.abc import Sequence

from msgspec import Struct

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType
from iluvatar_pxe.layers.ainur.installer.hardware import InstallerDisk, Volume
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.disk_matching import contents_words, type_of, why_not
from iluvatar_pxe.machines.inspection import Disk

SMALLEST = 8 * 10**9
"""Bytes of a disk for it: k3s, the images that it starts with, and room for some more."""
TYPES = ("ext4", "xfs", "btrfs")
"""File systems that containers can be on."""


class DataName(Struct, frozen=True):
    """What the file system is found by: its UUID, or else its label."""

    label: str = ""
    uuid: str = ""

    def means(self, volume: Volume) -> bool:
        """Say whether it means a partition, or a disk without any."""
        if self.uuid:
            return volume.uuid == self.uuid
        return bool(self.label) and volume.label == self.label

    def __str__(self) -> str:
        """Return it in words."""
        return f"the UUID {self.uuid}" if self.uuid else f"the label {self.label}"


class WantedData(Struct, frozen=True, kw_only=True):
    """What the fleet says of it."""

    name: DataName
    selector: DiskSelector | None = None
    """The disk on which it is made where there is none."""
    refuses_cards: bool = False
    """etcd will be there, and would wear out a card."""


class Adopted(Struct, frozen=True):
    """The file system that is there."""

    volume: Volume


class NewData(Struct, frozen=True, kw_only=True):
    """It is to be made on this empty disk, which has sectors of ``sector`` bytes."""

    disk: Disk
    sector: int
    label: str


def choose_data(
    disks: Sequence[InstallerDisk], wanted: WantedData, root: Disk | None = None
) -> Adopted | NewData | Held:
    """Return where what lasts will be; ``root`` is the disk that the system is installed on."""
    found = [(one, volume) for one in disks for volume in one.volumes if wanted.name.means(volume)]
    if len(found) > 1:
        return _more_than_one([volume.path for _, volume in found], wanted)
    if found:
        ((one, volume),) = found
        return _unfit(one, volume) or _worn_out(one.disk, wanted) or Adopted(volume)
    if wanted.selector is None:
        return Held(
            f"none of its disks has a file system with {wanted.name}",
            "plug in that disk, correct 'data', or make it once, such as by: mkfs.ext4 -L data PARTITION",
        )
    return _empty_disk(disks, wanted, wanted.selector, root)


def _more_than_one(paths: Sequence[str], wanted: WantedData) -> Held:
    by_label = "unplug the others, give them other labels, or name the right one by 'uuid'"
    remedy = "unplug the others, or give them other UUIDs" if wanted.name.uuid else by_label
    return Held(f"{' and '.join(paths)} have {wanted.name}", remedy)


def _unfit(one: InstallerDisk, volume: Volume) -> Held | None:
    if one.disk.is_read_only:
        return Held(f"{volume.path} is read-only", "make it writable, or use another disk for 'data'")
    if volume.type in TYPES:
        return None
    kinds = f"{', '.join(TYPES[:-1])} or {TYPES[-1]}"
    return Held(
        f"{volume.path} is {volume.type or 'of an unknown kind'}, on which containers cannot be",
        f"name a file system of type {kinds} by 'data'",
    )


def _worn_out(disk: Disk, wanted: WantedData) -> Held | None:
    if not wanted.refuses_cards or type_of(disk) is not DiskType.MMC:
        return None
    return Held(
        f"{disk.path} is an SD card or eMMC, and etcd wears such out within months",
        "keep this server's data on an SSD, or write 'etcdOnCard: true' below 'k3s' in its layer's file",
    )


def _empty_disk(
    disks: Sequence[InstallerDisk], wanted: WantedData, selector: DiskSelector, root: Disk | None
) -> NewData | Held:
    every = [one.disk for one in disks]

    def unfit(one: InstallerDisk) -> str:
        if one.disk == root:
            return "is the one for its system"
        why = why_not(one.disk, every, selector, SMALLEST)
        return why or (f"is not empty: {contents_words(one.disk)}" if one.disk.contents else "")

    empty = [one for one in disks if not unfit(one)]
    if len(empty) > 1:
        paths = " and ".join(one.disk.path for one in empty)
        return Held(
            f"{paths} are both empty, and fit", "name one by 'data.disk' in its file, such as by its serial"
        )
    if not empty:
        whys = "; ".join(f"{one.disk.path} {unfit(one)}" for one in disks) or "it has none"
        return Held(
            f"no file system has {wanted.name}, and no empty disk fits 'data.disk': {whys}",
            "plug one in, correct 'data.disk', or empty the right one: wipefs --all DISK",
        )
    (one,) = empty
    return _worn_out(one.disk, wanted) or NewData(disk=one.disk, sector=one.sector, label=wanted.name.label)
