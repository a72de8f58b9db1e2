"""Partition tables as sfdisk makes them, byte by byte."""

import struct

from iluvatar_pxe.assets.unpack.partitions import HEAD

Entry = tuple[int, int, int, int]
"""Status, type, first sector, sectors."""
BOOT, ROOT = (0x80, 0x0C, 2048, 1000), (0, 0x83, 4096, 9000)


def mbr(*entries: Entry) -> bytes:
    head = bytearray(HEAD)
    for number, (status, kind, start, sectors) in enumerate(entries):
        struct.pack_into("<B3xB3xII", head, 446 + 16 * number, status, kind, start, sectors)
    head[510:512] = b"\x55\xaa"
    return bytes(head)
