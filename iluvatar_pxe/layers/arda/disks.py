"""Which disk of a machine Talos is installed on. Pure.

Talos takes the first disk that fits, and its installer makes a new partition table whatever was there. So one disk is
chosen here and named, or none: nothing is guessed.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk, octets
from iluvatar_pxe.fleet.fields.globs import fits
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection

SMALLEST = 10 * 10**9
"""Bytes; Talos' own partitions take more than half of it."""
SYSTEM_PARTITIONS = frozenset({"EFI", "BIOS", "BOOT", "META", "STATE", "EPHEMERAL", "IMAGECACHE"})
_USER_VOLUMES = ("u-", "r-", "s-")
"""Begin the labels of the volumes that a configuration of Talos names."""
_META = "META"
"""Where this partition is, Talos counts as installed: it installs nothing, and boots as that disk says."""
_NO_DISKS = ("loop", "ram", "zram", "dm-", "md", "nbd", "zd", "rbd", "drbd", "fd")
_ELSEWHERE = frozenset({"usb", "iscsi", "fc", "sbp"})
"""Transports of disks that may be gone tomorrow, or belong to another machine too."""
_USUAL = frozenset({DiskType.SSD, DiskType.NVME})
_TITLES = {
    DiskType.SSD: "SSD",
    DiskType.NVME: "NVMe",
    DiskType.HDD: "hard disk",
    DiskType.MMC: "SD card or eMMC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskChoice:
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """The disk, and in words why this one."""

    disk: DiskChoice
    why: str


@dataclass(frozen=True, slots=True)
class Held:
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
    found = [disk for disk in disks if not why_not(disk, disks, selector)]
    if not found:
        return _none_fits(selector)
    smallest = min(disk.size for disk in found)
    best = [disk for disk in found if disk.size == smallest or _names_one(selector)]
    if len(best) > 1:
        paths = " and ".join(disk.path for disk in best)
        return Held(
            f"{paths} cannot be told apart: both fit", "name one by 'disk' in its file, such as by its serial"
        )
    (disk,) = best
    if held := _talos_in_the_way(disk, inspection, title):
        return held
    if disk.contents and not (wipes or _names_one(selector) or _is_ours(disk, inspection)):
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


def why_not(disk: Disk, disks: Sequence[Disk], selector: DiskSelector | None) -> str:
    """Return in words why a disk is never used, or not by this selector; empty where it may be."""
    return _unfit(disk, disks) or _unselected(disk, selector)


def type_of(disk: Disk) -> DiskType:
    """Return what a disk is; a virtual one tells nothing of how it is made."""
    name = disk.path.removeprefix("/dev/")
    if disk.transport == "mmc" or name.startswith("mmcblk"):
        return DiskType.MMC
    if disk.transport == "nvme" or name.startswith("nvme"):
        return DiskType.NVME
    return DiskType.HDD if disk.is_rotational and disk.transport != "virtio" else DiskType.SSD


def disk_words(disk: Disk) -> str:
    """Return a disk in one line."""
    attached = f" ({disk.transport})" if disk.transport and type_of(disk) != disk.transport else ""
    names = {
        "serial": disk.serial,
        "WWID": disk.wwid,
        "at": "" if disk.serial or disk.wwid else disk.bus_path,
    }
    told = (f"{key} {value}" for key, value in names.items() if value)
    return ", ".join(
        (f"{size_words(disk.size)} {_TITLES[type_of(disk)]}{attached}", *filter(None, (disk.model, *told)))
    )


def contents_words(disk: Disk) -> str:
    """Return what is on a disk, as far as Talos recognises it; empty where that is nothing."""
    if is_talos(disk):
        return "Talos is installed on it"
    partitions = [one for one in disk.contents if one.is_partition]
    whole = [one.name for one in disk.contents if not one.is_partition]
    if not partitions:
        return ", ".join(whole)
    kinds = ", ".join(dict.fromkeys(_partition_words(one) for one in partitions))
    return f"{len(partitions)} partition{'s' if len(partitions) > 1 else ''} ({kinds})"


def size_words(size: int) -> str:
    """Return a disk's size as its maker prints it."""
    unit, factor = ("TB", 10**12) if size >= 10**12 else ("GB", 10**9)
    return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"


def is_talos(disk: Disk) -> bool:
    """Say whether Talos is installed on a disk, by its own rule."""
    return any(one.is_partition and one.label == _META for one in disk.contents)


def may_be_used(disk: Disk) -> bool:
    """Say whether it is a disk that Talos could be installed on, as far as it tells by itself."""
    return not _unfit(disk, ())


def _unfit(disk: Disk, disks: Sequence[Disk]) -> str:
    twins = ", ".join(one.path for one in disks if one is not disk and _is_mistakable(disk, one))
    return _first(
        {
            "is a CD drive": disk.is_cdrom,
            "is read-only": disk.is_read_only,
            "is no disk of its own": disk.parts or disk.path.removeprefix("/dev/").startswith(_NO_DISKS),
            f"is smaller than {size_words(SMALLEST)}": disk.size < SMALLEST,
            "has no serial number, no WWID and no place, so it cannot be named": not any(disk.identity),
            f"has the serial number or WWID of {twins}, as with two paths to one disk": twins,
        }
    )


def _first(troubles: Mapping[str, object]) -> str:
    return next((words for words, holds in troubles.items() if holds), "")


def _is_mistakable(disk: Disk, other: Disk) -> bool:
    """Say whether what names the disk could mean the other one: Talos 1.13 takes ``*`` in a name for any text."""
    if disk.wwid and disk.wwid == other.wwid:
        return True
    names = zip(disk.identity, (other.serial, other.wwid, other.bus_path), strict=True)
    return not any(name and "*" not in name and name != of_other for name, of_other in names)


def _unselected(disk: Disk, selector: DiskSelector | None) -> str:
    kind, named = type_of(disk), _names_one(selector)
    wanted = selector or DiskSelector.model_construct()
    return _first(
        {
            "is not the one that is named": isinstance(wanted, MachineDisk)
            and not _is_the_named(disk, wanted),
            f"is attached by {disk.transport}": disk.transport in _ELSEWHERE and not named,
            f"is a {_TITLES[kind]}": kind not in _types(wanted),
            "is of another model": wanted.model and not any(fits(disk.model, glob) for glob in wanted.model),
            f"is smaller than {wanted.min_size}": wanted.min_size and disk.size < octets(wanted.min_size),
            f"is larger than {wanted.max_size}": wanted.max_size and disk.size > octets(wanted.max_size),
        }
    )


def _types(selector: DiskSelector) -> Container[DiskType]:
    if selector.type:
        return {selector.type}
    return frozenset(DiskType) if selector.model or selector.names_one else _USUAL


def _names_one(selector: DiskSelector | None) -> bool:
    return selector is not None and selector.names_one


def _is_the_named(disk: Disk, selector: MachineDisk) -> bool:
    wanted = ((selector.serial, disk.serial), (selector.wwid, disk.wwid), (selector.bus_path, disk.bus_path))
    return all(name is None or name == known for name, known in wanted)


def _wiping(title: str) -> str:
    return f"iluvatar-pxe machines reinstall {title} --wipe"


def _none_fits(selector: DiskSelector | None) -> Held:
    """A selector that is given is named: it may be what has to be corrected."""
    if selector is None:
        return Held("none of its disks fits", "name one by 'disk' in its file, or plug one in")
    given = selector.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    keys = ", ".join(
        f"{key}: {', '.join(value) if isinstance(value, list) else value}" for key, value in given.items()
    )
    file = "its file" if isinstance(selector, MachineDisk) else "its layer's file"
    return Held(f"none of its disks fits 'disk' in {file} ({keys})", "correct that, or plug such a disk in")


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


def _partition_words(content: Content) -> str:
    return " ".join(filter(None, (content.name or "unknown", content.label)))


def _why(found: Sequence[Disk], selector: DiskSelector | None) -> str:
    if _names_one(selector):
        return "the fleet names it"
    of_which = "that the fleet's 'disk' means" if selector else "that is an SSD or NVMe and not removable"
    return f"the {'only' if len(found) == 1 else 'smallest'} disk {of_which}"
