"""The ``disk:`` part of a layer's or machine's file: which disk Talos is installed on."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from iluvatar_pxe.declared.base import Selector
from iluvatar_pxe.declared.shapes import Shape
from iluvatar_pxe.fleet.fields.globs import Globs

_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = Shape(rf"[0-9]{{1,6}}(\.[0-9]{{1,3}})? ?({'|'.join(_UNITS)})", "write a size such as 500GB or 1.5TB")

DiskSize = Annotated[str, _SIZE]
DiskName = Annotated[str, Field(min_length=1, max_length=256)]
"""A serial number, WWID or place, character by character as Talos reads it."""


class DiskType(StrEnum):
    """What a disk is."""

    SSD = "ssd"
    """Also a virtual disk."""
    NVME = "nvme"
    HDD = "hdd"
    MMC = "mmc"
    """An SD card, or eMMC."""


class DiskSelector(Selector):
    """Which disk: all given keys must match. Of those that do, the smallest one is used."""

    type: DiskType | None = None
    """``ssd``, ``nvme``, ``hdd`` or ``mmc``. Without ``type`` and ``model``: an SSD or NVMe."""
    min_size: DiskSize | None = None
    """It has at least this size, such as ``200GB``."""
    max_size: DiskSize | None = None
    """It has at most this size, such as ``1TB``."""
    model: Globs = ()
    """Its model, or a pattern for it; ``*`` is any text, ``?`` any character."""

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            keys = ", ".join(info.alias or "" for info in type(self).model_fields.values())
            raise ValueError(f"selects no disk; write one of {keys}, or remove it")
        if self.min_size and self.max_size and octets(self.min_size) > octets(self.max_size):
            raise ValueError(f"minSize {self.min_size} is more than maxSize {self.max_size}; swap them")
        return self

    @property
    def names_one(self) -> bool:
        """Say whether it means one disk, and no kind of disk: whatever is on it is to be erased."""
        return False


class MachineDisk(DiskSelector):
    """Which disk of this machine."""

    serial: DiskName | None = None
    """Its serial number, as ``iluvatar-pxe machines show`` prints it. What is on the disk is erased."""
    wwid: DiskName | None = None
    """Its WWID, as ``iluvatar-pxe machines show`` prints it. What is on the disk is erased."""
    bus_path: DiskName | None = None
    """Where it is plugged in, as ``iluvatar-pxe machines show`` prints it. What is on the disk is erased."""

    @property
    def names_one(self) -> bool:
        """See ``DiskSelector``."""
        return any((self.serial, self.wwid, self.bus_path))


def octets(size: str) -> int:
    """Return how many bytes a ``DiskSize`` is."""
    unit = next(one for one in sorted(_UNITS, key=len, reverse=True) if size.endswith(one))
    return int(float(size.removesuffix(unit)) * _UNITS[unit])
