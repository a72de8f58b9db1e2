"""How a disk is divided on which an image is installed, and what names it: nothing that a second disk has, too. Pure.

All of Ubuntu's images have the same disk id, UUIDs and labels. So a disk gets an id that follows from the machine, and its
root file system a UUID that follows from the installation, too: a killed one is known again, and so is an earlier one.
"""

import struct
from uuid import UUID, uuid5

from msgspec import Struct

from iluvatar_pxe.assets.unpack.partitions import SECTOR, Partition

ERASED = 1 << 20
"""Bytes at either end of a disk that are erased first; partitions begin behind them."""
_MOST_SECTORS = 2**32 - 1
"""That an MBR can count: 2 TiB."""
_ENTRY = struct.Struct("<B3sB3sII")
_FAT32, _LINUX = 0x0C, 0x83
_NO_CHS = b"\xfe\xff\xff"
"""Says that the sector numbers count."""
_NAMES = UUID("7d0f9c3e-5c0a-4c83-9f9e-2f7a4b1f6a11")
"""The namespace of UUIDs that are made here (RFC 9562, 5.5)."""


class Installation(Struct, frozen=True):
    """One installation of one machine: ``machine`` is its serial number or MAC, ``number`` tells it from those before."""

    machine: str
    number: int

    @property
    def disk_id(self) -> str:
        """The id in its MBR of any disk of this machine, as 8 hexadecimal digits; never all zeros, which means none."""
        return f"{uuid5(_NAMES, f'{self.machine} disk').int % (2**32 - 1) + 1:08x}"

    @property
    def root_uuid(self) -> str:
        """The UUID of the root file system."""
        return str(uuid5(_NAMES, f"{self.machine} {self.number} root"))

    def part_uuid(self, number: int) -> str:
        """Return what Linux calls a partition of the disk: PARTUUID."""
        return f"{self.disk_id}-{number:02x}"


class Layout(Struct, frozen=True):
    """Where the image's two partitions lie on the disk."""

    boot: Partition
    root: Partition

    def table(self, installation: Installation, *, bootable: bool) -> bytes:
        """Return the disk's first sector. Without ``bootable`` it has no boot partition, so no firmware starts it."""
        boot = _entry(_FAT32, self.boot) if bootable else bytes(_ENTRY.size)
        entries = (boot + _entry(_LINUX, self.root)).ljust(64, b"\0")
        return bytes(440) + struct.pack("<IH", int(installation.disk_id, 16), 0) + entries + b"\x55\xaa"


def grown(image: Layout, disk_size: int) -> Layout:
    """Return the image's layout with its root partition up to the end of a disk of so many bytes, or to 2 TiB."""
    end = min(disk_size - ERASED, _MOST_SECTORS * SECTOR) // ERASED * ERASED
    return Layout(image.boot, Partition(image.root.start, end - image.root.start))


def least_size(image: Layout) -> int:
    """Return how many bytes a disk needs for an image."""
    return (-(-image.root.end // ERASED) + 1) * ERASED


def _entry(kind: int, partition: Partition) -> bytes:
    return _ENTRY.pack(0, _NO_CHS, kind, _NO_CHS, partition.start // SECTOR, partition.size // SECTOR)
