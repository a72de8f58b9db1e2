"""The ``root:`` part of a layer's or machine's file: where a Raspberry Pi's operating system and data are."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import model_validator

from iluvatar_pxe.declared.base import GIVEN, Model
from iluvatar_pxe.declared.shapes import Shape
from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk

_PATH = r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
FileSystemLabel = Annotated[
    str,
    Shape(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,15}", "write a label of up to 16 letters, digits, '-', '_' and '.'"),
]
FileSystemUuid = Annotated[
    str,
    Shape(r"[0-9A-Fa-f]{4,8}(?:-[0-9A-Fa-f]{4,12}){1,4}", "write the file system's UUID, as blkid prints it"),
]
Folder = Annotated[str, Shape(rf"\.|{_PATH}", "write a folder of that file system, such as longhorn, or '.'")]

DATA_FOLDERS: Mapping[str, str] = {"rancher": "/var/lib/rancher", "node": "/etc/rancher/node"}
"""By folder of the file system for what lasts, where it is mounted; Longhorn's comes besides."""

OF_IMAGES = frozenset({"writable", "system-boot", "rootfs", "bootfs"})
"""Labels of the partitions of Ubuntu's and Raspberry Pi OS' images, which any card may have."""


class RootKind(StrEnum):
    """Where the operating system is."""

    DISK = "disk"
    """On a disk, on which it is installed."""
    MEMORY = "memory"
    """In memory, from the network at each boot."""


class Data(Model):
    """The ``data:`` part: the file system for what lasts, which has k3s' data, its images, and Longhorn's volumes.

    It is used as it is, and never formatted. Where none has the label, one may be made on an empty disk.
    """

    label: FileSystemLabel | None = None
    """The one with this label."""
    uuid: FileSystemUuid | None = None
    """The one with this UUID."""
    disk: Annotated[DiskSelector | None, GIVEN] = None
    """The disk on which it is made where none has the label: only on one that is empty, and the only such one that fits."""
    longhorn: Folder = "longhorn"
    """Its folder that is ``/var/lib/longhorn``; ``.`` is all of it."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.label is None) == (self.uuid is None):
            raise ValueError("write one of label and uuid")
        if self.label in OF_IMAGES:
            raise ValueError(f"images' own partitions have the label {self.label}; choose another one")
        if self.uuid and self.disk:
            raise ValueError(
                "a file system that is made gets a label; write label in place of uuid, or remove disk"
            )
        if self.longhorn in DATA_FOLDERS:
            raise ValueError(f"folder {self.longhorn} has k3s' data; choose another one for longhorn")
        return self

    @property
    def source(self) -> str:
        """It as ``mount`` names it."""
        return f"LABEL={self.label}" if self.label else f"UUID={self.uuid}"


class MachineData(Data):
    """The same of a machine."""

    disk: Annotated[MachineDisk | None, GIVEN] = None
    """See ``Data``; of this machine."""


class Root(Model):
    """The ``root:`` part of a layer's file."""

    kind: RootKind = RootKind.DISK
    """``disk``: the system is installed on a disk; ``memory``: it is loaded into memory at each boot."""
    disk: Annotated[DiskSelector | None, GIVEN] = None
    """Which disk it is installed on. Default: the only SSD or NVMe that is not removable; of two none is."""
    data: Annotated[Data | None, GIVEN] = None
    """A file system for what lasts; without it, that is where the system is."""

    @model_validator(mode="after")
    def _disk_of_memory(self) -> Self:
        if self.kind is RootKind.MEMORY and self.disk:
            raise ValueError(
                "a system in memory is installed on no disk; remove 'disk', or write it below 'data'"
            )
        return self

    @property
    def lasts(self) -> bool:
        """Say whether k3s' data outlives a restart."""
        return self.kind is RootKind.DISK or self.data is not None

    @property
    def is_on_card(self) -> bool:
        """Say whether k3s' data is meant to be on an SD card or eMMC."""
        disk = self.data.disk if self.data else self.disk
        return disk is not None and disk.type is DiskType.MMC


class MachineRoot(Root):
    """The ``root:`` part of a machine's file."""

    disk: Annotated[MachineDisk | None, GIVEN] = None
    """Which disk of this machine it is installed on. Default: the only SSD or NVMe that is not removable; of two none is."""
    data: Annotated[MachineData | None, GIVEN] = None
    """A file system for what lasts; without it, that is where the system is."""
