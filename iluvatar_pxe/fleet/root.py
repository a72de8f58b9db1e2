"""The ``root:`` part of a layer's or machine's file: where a Raspberry Pi's operating system and data are."""

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


class RootKind(StrEnum):
    """Where the operating system is."""

    DISK = "disk"
    """On a disk, on which it is installed."""
    MEMORY = "memory"
    """In memory, from the network at each boot."""


class Data(Model):
    """The ``data:`` part: the file system for what lasts, which has k3s' data, its images, and Longhorn's volumes."""

    label: FileSystemLabel | None = None
    """The one with this label. It is used as it is, and never formatted."""
    uuid: FileSystemUuid | None = None
    """The one with this UUID. It is used as it is, and never formatted."""
    disk: Annotated[DiskSelector | None, GIVEN] = None
    """A disk on which it is made, if the disk is blank."""
    longhorn: Folder = "longhorn"
    """Its folder that is ``/var/lib/longhorn``; ``.`` is all of it."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.label, self.uuid, self.disk)) != 1:
            raise ValueError("write one of label, uuid and disk")
        return self


class MachineData(Data):
    """The same of a machine's file."""

    disk: Annotated[MachineDisk | None, GIVEN] = None
    """A disk of this machine on which it is made, if the disk is blank."""


class Root(Model):
    """The ``root:`` part of a layer's file."""

    kind: RootKind = RootKind.DISK
    """``disk``: the system is installed on a disk; ``memory``: it is loaded into memory at each boot."""
    disk: Annotated[DiskSelector | None, GIVEN] = None
    """Which disk it is installed on. Default: the smallest SSD or NVMe that is not removable."""
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
    """Which disk of this machine it is installed on. Default: the smallest SSD or NVMe that is not removable."""
    data: Annotated[MachineData | None, GIVEN] = None
    """A file system of this machine for what lasts; without it, that is where the system is."""
