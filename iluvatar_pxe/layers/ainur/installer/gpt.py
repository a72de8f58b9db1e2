"""A disk with one partition, as a GUID partition table (UEFI 2.10, 5.2 and 5.3). Pure."""

import struct
from collections.abc import Sequence
from uuid import UUID, uuid5
from zlib import crc32

from msgspec import Struct

from iluvatar_pxe.assets.unpack.partitions import Partition

ALIGNED = 1 << 20
"""Bytes: the partition begins and ends at a multiple."""
_NAMES = UUID("5b0c7f0e-4f38-4a52-9a3f-6a1c3f0b7d25")
"""The namespace of UUIDs that are made here (RFC 9562, 5.5)."""
_LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_ENTRIES, _ENTRY_SIZE = 128, 128
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_PROTECTIVE = struct.Struct("<B3sB3sII")


class Written(Struct, frozen=True):
    """Bytes, and where on a disk they go."""

    offset: int
    data: bytes


class OnePartition(Struct, frozen=True, kw_only=True):
    """The table of a disk of ``size`` bytes in sectors of ``sector`` bytes; ``name`` is what its UUIDs follow from."""

    size: int
    sector: int
    name: str

    @property
    def partition(self) -> Partition:
        """The partition, which takes all of the disk; in bytes."""
        end = (self._last_usable + 1) * self.sector // ALIGNED * ALIGNED
        return Partition(ALIGNED, end - ALIGNED)

    def writes(self) -> Sequence[Written]:
        """Return what is written, in this order: before the last, which is one sector, the disk counts as empty."""
        first, last = 1, self._sectors - 1
        entries = self._entries()
        copy = last - self._entry_sectors
        return (
            Written(copy * self.sector, entries + self._header(last, first, copy)),
            Written(first * self.sector, self._header(first, last, first + 1) + entries),
            Written(0, self._protective()),
        )

    @property
    def _sectors(self) -> int:
        return self.size // self.sector

    @property
    def _entry_sectors(self) -> int:
        return _ENTRIES * _ENTRY_SIZE // self.sector

    @property
    def _last_usable(self) -> int:
        return self._sectors - 2 - self._entry_sectors

    def _header(self, own: int, other: int, entries: int) -> bytes:
        def packed(check: int) -> bytes:
            return _HEADER.pack(
                *(b"EFI PART", 0x10000, _HEADER.size, check, 0, own, other),
                *(2 + self._entry_sectors, self._last_usable, self._uuid("disk").bytes_le),
                *(entries, _ENTRIES, _ENTRY_SIZE, crc32(self._entries())),
            )

        return packed(crc32(packed(0))).ljust(self.sector, b"\0")

    def _entries(self) -> bytes:
        part = self.partition
        first, last = part.start // self.sector, part.end // self.sector - 1
        entry = _ENTRY.pack(_LINUX.bytes_le, self._uuid("partition").bytes_le, first, last, 0, b"")
        return entry.ljust(_ENTRIES * _ENTRY_SIZE, b"\0")

    def _protective(self) -> bytes:
        """Return the MBR that keeps programs which know no GPT from taking the disk for an empty one."""
        entry = _PROTECTIVE.pack(0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(self._sectors - 1, 2**32 - 1))
        return (bytes(446) + entry.ljust(64, b"\0") + b"\x55\xaa").ljust(self.sector, b"\0")

    def _uuid(self, whose: str) -> UUID:
        return uuid5(_NAMES, f"{self.name} {whose}")
