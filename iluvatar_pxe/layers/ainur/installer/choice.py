"""Which disk of a machine its image is installed on, or why none is. Pure.

Never one that the fleet does not mean, that another could be mistaken for, that holds somebody's data, or the data
partition that the fleet wants kept.
"""

from collections.abc import Sequence

from msgspec import Struct

from iluvatar_pxe.assets.unpack.partitions import SECTOR
from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType
from iluvatar_pxe.layers.ainur.installer.data import WantedData
from iluvatar_pxe.layers.ainur.installer.hardware import InstallerDisk
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.layout import Installation
from iluvatar_pxe.layers.disk_matching import contents_words, names_one, none_fits, type_of, why_not
from iluvatar_pxe.machines.inspection import Disk

_BOOT, _ROOT = 1, 2
"""Numbers of an image's partitions."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What the fleet says of a machine's root disk."""

    title: str
    """What the machine is called."""
    selector: DiskSelector | None
    least_size: int
    """Bytes."""
    installation: Installation
    wipes: bool = False
    """Whoever asked for the installation said that any disk that is chosen may be erased."""
    refuses_cards: bool = False
    """Its etcd would be on this disk, and would wear out a card."""
    data: WantedData | None = None
    again: bool = False
    """Its owner wants it installed again, also in place of a system of which nothing is known here."""
    given: tuple[str, str, str] | None = None
    """The identity of the disk on which an earlier installation was: that may be erased by this one."""


class Chosen(Struct, frozen=True):
    """The disk that is to be installed."""

    disk: Disk


class Complete(Struct, frozen=True):
    """The disk on which this installation is complete already, or one of this machine of which nothing is known here."""

    disk: Disk


def choose_root(disks: Sequence[InstallerDisk], wanted: Wanted) -> Chosen | Complete | Held:
    """Return what is done with a machine's disks."""
    every = [one.disk for one in disks]
    found = [one for one in disks if not _why_not(one, every, wanted)]
    if not found:
        return _none_fits(disks, wanted)
    if len(found) > 1:
        paths = " and ".join(one.disk.path for one in found)
        return Held(
            f"{paths} cannot be told apart: both fit", "name one by 'disk' in its file, such as by its serial"
        )
    (one,) = found
    if _is_complete(one, wanted):
        return Complete(one.disk)
    unfit = _unfit_for_k3s(one, wanted) or _not_empty(one, wanted) or _has_twin(one, disks, wanted)
    return unfit or Chosen(one.disk)


def _why_not(one: InstallerDisk, every: Sequence[Disk], wanted: Wanted) -> str:
    if why := why_not(one.disk, every, wanted.selector, wanted.least_size):
        return why
    return "" if one.sector == SECTOR else f"has sectors of {one.sector} bytes, and images have {SECTOR}"


def _none_fits(disks: Sequence[InstallerDisk], wanted: Wanted) -> Held:
    every = [one.disk for one in disks]
    whys = "; ".join(f"{one.disk.path} {_why_not(one, every, wanted)}" for one in disks)
    reason, remedy = none_fits(wanted.selector)
    return Held(f"{reason}: {whys}" if whys else "it has no disk", remedy)


def _unfit_for_k3s(one: InstallerDisk, wanted: Wanted) -> Held | None:
    path = one.disk.path
    if wanted.data and any(map(wanted.data.name.means, one.volumes)):
        return Held(
            f"{path} holds the data partition that is to be kept",
            "name another disk by 'disk' for the system, or the memory as its root",
        )
    if wanted.refuses_cards and type_of(one.disk) is DiskType.MMC:
        return Held(
            f"{path} is an SD card or eMMC, and etcd wears such out within months",
            "give this server an SSD, or write 'etcdOnCard: true' below 'k3s' in its layer's file",
        )
    return None


def _not_empty(one: InstallerDisk, wanted: Wanted) -> Held | None:
    if not one.disk.contents or wanted.wipes or names_one(wanted.selector):
        return None
    if (
        one.table_id == wanted.installation.disk_id
    ):  # an interrupted installation, or an earlier one of this machine
        return None
    return Held(
        f"{one.disk.path} is not empty: {contents_words(one.disk)}",
        f"name it by 'disk' in its file, or allow to erase it: iluvatar-pxe machines reinstall {wanted.title} --wipe",
    )


def _has_twin(one: InstallerDisk, disks: Sequence[InstallerDisk], wanted: Wanted) -> Held | None:
    """Say which other disk has the ids that this one would get: Linux might start that one's root file system."""
    own = wanted.installation.disk_id
    twin = next((other for other in disks if other is not one and other.table_id == own), None)
    if twin is None:
        return None
    return Held(
        f"{twin.disk.path} has an earlier system of this machine, and the ids that {one.disk.path} would get",
        f"unplug it, or erase it: wipefs --all {twin.disk.path}",
    )


def _is_complete(one: InstallerDisk, wanted: Wanted) -> bool:
    root = one.volume(_ROOT)
    if one.table_id != wanted.installation.disk_id or root is None or one.volume(_BOOT) is None:
        return False
    may_be_erased = wanted.again or one.disk.identity == wanted.given
    return root.uuid == wanted.installation.root_uuid or not may_be_erased
