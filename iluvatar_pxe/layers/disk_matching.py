"""Which disks of a machine a selector of the fleet means, and what a disk is called in words. Pure."""

from collections.abc import Container, Mapping, Sequence

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk, octets
from iluvatar_pxe.fleet.fields.globs import fits
from iluvatar_pxe.machines.inspection import Content, Disk

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


def why_not(disk: Disk, disks: Sequence[Disk], selector: DiskSelector | None, smallest: int) -> str:
    """Return in words why a disk is never used, or not by this selector; empty where it may be.

    ``smallest``: how many bytes it has to have.
    """
    return why_unfit(disk, disks, smallest) or _unselected(disk, selector)


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


def size_words(size: int) -> str:
    """Return a disk's size as its maker prints it."""
    unit, factor = ("TB", 10**12) if size >= 10**12 else ("GB", 10**9)
    return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"


def contents_words(disk: Disk) -> str:
    """Return what is on a disk, as far as it was recognised; empty where that is nothing."""
    partitions = [one for one in disk.contents if one.is_partition]
    whole = [one.name for one in disk.contents if not one.is_partition]
    if not partitions:
        return ", ".join(whole)
    kinds = ", ".join(dict.fromkeys(_partition_words(one) for one in partitions))
    return f"{len(partitions)} partition{'s' if len(partitions) > 1 else ''} ({kinds})"


def why_unfit(disk: Disk, disks: Sequence[Disk], smallest: int) -> str:
    """Return in words why a disk of ``disks`` is never used; empty where it may be."""
    twins = ", ".join(one.path for one in disks if one is not disk and _is_mistakable(disk, one))
    return _first(
        {
            "is a CD drive": disk.is_cdrom,
            "is read-only": disk.is_read_only,
            "is no disk of its own": disk.parts or disk.path.removeprefix("/dev/").startswith(_NO_DISKS),
            f"is smaller than {size_words(smallest)}": disk.size < smallest,
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
    kind, named = type_of(disk), names_one(selector)
    wanted = selector or DiskSelector.model_construct()
    return _first(
        {
            "is not the one that is named": isinstance(wanted, MachineDisk)
            and not _is_the_named(disk, wanted),
            f"is attached by {disk.transport}, and used only if its machine's file names it ({_name(disk)})": disk.transport
            in _ELSEWHERE
            and not named,
            f"is a {_TITLES[kind]}": kind not in _types(wanted),
            "is of another model": wanted.model and not any(fits(disk.model, glob) for glob in wanted.model),
            f"is smaller than {wanted.min_size}": wanted.min_size and disk.size < octets(wanted.min_size),
            f"is larger than {wanted.max_size}": wanted.max_size and disk.size > octets(wanted.max_size),
        }
    )


def _name(disk: Disk) -> str:
    """Return how a machine's file would name a disk."""
    known = {"serial": disk.serial, "wwid": disk.wwid, "busPath": disk.bus_path}
    return next((f"{key}: {value}" for key, value in known.items() if value), "its place")


def _types(selector: DiskSelector) -> Container[DiskType]:
    if selector.type:
        return {selector.type}
    return frozenset(DiskType) if selector.model or selector.names_one else _USUAL


def names_one(selector: DiskSelector | None) -> bool:
    """Say whether a selector means one disk, and no kind of disk."""
    return selector is not None and selector.names_one


def _is_the_named(disk: Disk, selector: MachineDisk) -> bool:
    wanted = ((selector.serial, disk.serial), (selector.wwid, disk.wwid), (selector.bus_path, disk.bus_path))
    return all(name is None or name == known for name, known in wanted)


def none_fits(selector: DiskSelector | None) -> tuple[str, str]:
    """Return why no disk is chosen, and what to do. A selector that is given is named: it may have to be corrected."""
    if selector is None:
        return "none of its disks fits", "name one by 'disk' in its file, or plug one in"
    given = selector.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    keys = ", ".join(
        f"{key}: {', '.join(value) if isinstance(value, list) else value}" for key, value in given.items()
    )
    file = "its file" if isinstance(selector, MachineDisk) else "its layer's file"
    return f"none of its disks fits 'disk' in {file} ({keys})", "correct that, or plug such a disk in"


def _partition_words(content: Content) -> str:
    return " ".join(filter(None, (content.name or "unknown", content.label)))
