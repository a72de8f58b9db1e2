"""Partition tables, MBR and GPT, of images whose first partition has the boot files, and whose second is the root. Pure.

They are read strictly: a table that is damaged, or that says what cannot be, is refused.
"""

import struct
import zlib
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.errors import UnpackError

SECTOR = 512
HEAD = 34 * SECTOR
"""Bytes at the beginning that hold either table (UEFI 2.10, 5.3); partitions begin behind them."""
LARGEST_IMAGE = 64 << 30
_FAT = {0x06, 0x0B, 0x0C, 0x0E, 0xEF}
_LINUX = {0x83}
_PROTECTIVE = 0xEE
_EXTENDED = {0x05, 0x0F, 0x85}
_FAT_GUIDS = {
    UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),  # EFI system partition
    UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),  # basic data
}
_LINUX_GUIDS = {
    UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"),  # Linux file system
    UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"),  # root of arm64
}
_GPT_HEADER = struct.Struct("<8sIII4xQQQQ16sQIII")
_GPT_ENTRY_SIZE = 128
_GPT_ENTRIES = 128


class Partition(Struct, frozen=True):
    """Where a partition lies in the image, in bytes."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


def partitions_of(head: bytes) -> tuple[Partition, Partition]:
    """Return the boot and the root partition; ``head`` is the first ``HEAD`` bytes. Raises UnpackError."""
    if len(head) < HEAD:
        raise UnpackError("is too short for a disk image; fetch it again")
    if head[510:512] != b"\x55\xaa":
        raise UnpackError("has no partition table: its first sector lacks the signature; it is no disk image")
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    is_gpt = any(entry[4] == _PROTECTIVE for entry in entries)
    boot, root = _of_gpt(head) if is_gpt else _of_mbr(entries)
    if boot.start < HEAD:
        raise UnpackError("has a partition that begins inside the partition table; fetch it again")
    if root.start < boot.end:
        raise UnpackError("has partitions that overlap or are in the wrong order; fetch it again")
    if root.end > LARGEST_IMAGE:
        raise UnpackError(
            f"has partitions up to byte {root.end}, more than {LARGEST_IMAGE}; use a smaller image"
        )
    return boot, root


def _of_mbr(entries: list[bytes]) -> tuple[Partition, Partition]:
    found = []
    for number, entry in enumerate(entries, 1):
        status, kind, start, sectors = struct.unpack("<B3xB3xII", entry)
        if status not in {0, 0x80} or (kind and not (start and sectors)):
            raise UnpackError(f"has a damaged partition table: entry {number} is impossible; fetch it again")
        if kind in _EXTENDED:
            raise UnpackError(f"has an extended partition (entry {number}), which no Raspberry Pi image has")
        found.append((kind, Partition(start * SECTOR, sectors * SECTOR)))
    (first, boot), (second, root) = found[:2]
    if first not in _FAT or second not in _LINUX:
        raise _other_kinds(f"types 0x{first:02x} and 0x{second:02x}")
    return boot, root


def _of_gpt(head: bytes) -> tuple[Partition, Partition]:
    _check_gpt_header(head[SECTOR : 2 * SECTOR])
    (first, last), entries = _gpt_entries(head)
    found = []
    for number, entry in enumerate(
        (entries[:_GPT_ENTRY_SIZE], entries[_GPT_ENTRY_SIZE : 2 * _GPT_ENTRY_SIZE]), 1
    ):
        guid, start, end = UUID(bytes_le=entry[:16]), *struct.unpack_from("<QQ", entry, 32)
        if guid.int and not first <= start <= end <= last:
            raise UnpackError(f"has a damaged partition table: entry {number} is impossible; fetch it again")
        found.append((guid, Partition(start * SECTOR, (end + 1 - start) * SECTOR)))
    (one, boot), (two, root) = found
    if one not in _FAT_GUIDS or two not in _LINUX_GUIDS:
        raise _other_kinds(f"types {one} and {two}")
    return boot, root


def _check_gpt_header(header: bytes) -> None:
    signature, revision, size, checksum, own, *_ = _GPT_HEADER.unpack_from(header)
    if signature != b"EFI PART":
        raise UnpackError("has a protective MBR, but no GPT behind it; fetch it again")
    if revision != 0x10000 or size != _GPT_HEADER.size or own != 1:
        raise UnpackError("has a GPT of an unknown kind; use a Raspberry Pi image")
    if zlib.crc32(header[:16] + bytes(4) + header[20:size]) != checksum:
        raise UnpackError("has a damaged GPT: the checksum of its header is wrong; fetch it again")


def _gpt_entries(head: bytes) -> tuple[tuple[int, int], bytes]:
    """Return the first and the last sector that may be used, and the entries."""
    *_, first, last, _disk, at, count, size, checksum = _GPT_HEADER.unpack_from(head, SECTOR)
    if at != 2 or not 2 <= count <= _GPT_ENTRIES or size != _GPT_ENTRY_SIZE:
        raise UnpackError("has a GPT of an unknown kind; use a Raspberry Pi image")
    entries = head[at * SECTOR : at * SECTOR + count * size]
    if zlib.crc32(entries) != checksum:
        raise UnpackError("has a damaged GPT: the checksum of its entries is wrong; fetch it again")
    return (first, last), entries


def _other_kinds(found: str) -> UnpackError:
    return UnpackError(
        f"has no FAT partition followed by a Linux partition, but {found}; use a Raspberry Pi image"
    )
