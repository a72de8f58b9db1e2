"""The partition table of a card with one FAT partition. Pure."""

import struct

SECTOR = 512
FIRST = 2048
"""The partition's first sector: where every tool puts it, 1 MiB from the beginning."""
_ENTRY = struct.Struct("<B3sB3sII")
_FAT32 = 0x0C
_NO_CHS = b"\xfe\xff\xff"
"""Says that the sector numbers count."""


def one_fat32(sectors: int) -> bytes:
    """Return the first sector of a card whose only partition has so many sectors from ``FIRST`` on."""
    entry = _ENTRY.pack(0, _NO_CHS, _FAT32, _NO_CHS, FIRST, sectors)
    return bytes(446) + entry.ljust(64, b"\0") + b"\x55\xaa"
