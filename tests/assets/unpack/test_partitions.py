"""Partition tables: made here byte by byte, as sfdisk makes them, or broken."""

import re
import struct
import zlib
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.partition_tables import BOOT, ROOT, mbr

from iluvatar_pxe.assets.unpack.partitions import HEAD, LARGEST_IMAGE, Partition, partitions_of
from iluvatar_pxe.errors import UnpackError

BASIC = UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
NONE = (0, 0, 0, 0)


def gpt(
    *entries: tuple[UUID, int, int], at: int = 2, size: int = 128, usable: tuple[int, int] = (34, 99_999)
) -> bytes:
    """``entries`` are types, first and last sectors."""
    head = bytearray(mbr((0, 0xEE, 1, 0xFFFFFFFF)))
    for number, (kind, first, last) in enumerate(entries):
        struct.pack_into("<16s16sQQ", head, 1024 + 128 * number, kind.bytes_le, b"u" * 16, first, last)
    checksum = zlib.crc32(head[1024:])
    fields = (b"EFI PART", 0x10000, 92, 0, 1, 99_999, *usable, b"d" * 16, at, 128, size, checksum)
    form = "<8sIII4xQQQQ16sQIII"
    struct.pack_into(form, head, 512, *fields)
    struct.pack_into("<I", head, 528, zlib.crc32(head[512:604]))
    return bytes(head)


GPT = gpt((BASIC, 2048, 3047), (LINUX, 4096, 13_095))


@pytest.mark.parametrize(
    "head",
    [
        mbr(BOOT, ROOT),
        mbr((0, 0x0B, 2048, 1000), ROOT),
        mbr((0, 0x0E, 2048, 1000), ROOT, (0, 0x83, 99_999, 1)),
        GPT,
        gpt((BASIC, 2048, 3047), (UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"), 4096, 13_095)),
    ],
)
def test_the_first_two_partitions_are_found(head: bytes) -> None:
    boot, root = Partition(2048 * 512, 1000 * 512), Partition(4096 * 512, 9000 * 512)
    assert partitions_of(head) == (boot, root)


KINDS = "has no FAT partition followed by a Linux partition, but types"
OVERLAP = "has partitions that overlap or are in the wrong order; fetch it again"


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (mbr(BOOT, ROOT)[:-1], "is too short for a disk image; fetch it again"),
        (bytes(HEAD), "has no partition table: its first sector lacks the signature; it is no disk image"),
        (
            b"<!DOCTYPE html>".ljust(HEAD),
            "has no partition table: its first sector lacks the signature; it is no disk image",
        ),
        (mbr(), f"{KINDS} 0x00 and 0x00; use a Raspberry Pi image"),
        (mbr(BOOT), f"{KINDS} 0x0c and 0x00; use a Raspberry Pi image"),
        (mbr(ROOT, BOOT), f"{KINDS} 0x83 and 0x0c; use a Raspberry Pi image"),
        (
            mbr((7, 0x0C, 2048, 1000), ROOT),
            "has a damaged partition table: entry 1 is impossible; fetch it again",
        ),
        (
            mbr(BOOT, (0, 0x83, 4096, 0)),
            "has a damaged partition table: entry 2 is impossible; fetch it again",
        ),
        (
            mbr(BOOT, ROOT, (0, 0x83, 0, 7)),
            "has a damaged partition table: entry 3 is impossible; fetch it again",
        ),
        (
            mbr(BOOT, ROOT, (0, 5, 99_999, 7)),
            "has an extended partition (entry 3), which no Raspberry Pi image has",
        ),
        (
            mbr((0, 0x0C, 1, 1000), ROOT),
            "has a partition that begins inside the partition table; fetch it again",
        ),
        (mbr((0, 0x0C, 2048, 3000), ROOT), OVERLAP),
        (mbr((0, 0x0C, 20_480, 10), ROOT), OVERLAP),
        (
            mbr(BOOT, (0, 0x83, 4096, 0xFFFFFFFF)),
            f"has partitions up to byte {(4096 + 0xFFFFFFFF) * 512}, more than {LARGEST_IMAGE}; use a smaller image",
        ),
        (mbr((0, 0xEE, 1, 99)), "has a protective MBR, but no GPT behind it; fetch it again"),
        (
            GPT[:530] + b"\x01" + GPT[531:],
            "has a damaged GPT: the checksum of its header is wrong; fetch it again",
        ),
        (
            GPT[:1060] + b"\x01" + GPT[1061:],
            "has a damaged GPT: the checksum of its entries is wrong; fetch it again",
        ),
        (
            gpt((BASIC, 2048, 3047), (LINUX, 4096, 13_095), at=9),
            "has a GPT of an unknown kind; use a Raspberry Pi image",
        ),
        (
            gpt((BASIC, 2048, 3047), (LINUX, 4096, 13_095), size=4096),
            "has a GPT of an unknown kind; use a Raspberry Pi image",
        ),
        (
            gpt((BASIC, 2048, 2047), (LINUX, 4096, 13_095)),
            "has a damaged partition table: entry 1 is impossible; fetch it again",
        ),
        (
            gpt((BASIC, 2048, 3047), (LINUX, 4096, 100_000)),
            "has a damaged partition table: entry 2 is impossible; fetch it again",
        ),
        (
            gpt((LINUX, 2048, 3047), (BASIC, 4096, 13_095)),
            f"{KINDS} {LINUX} and {BASIC}; use a Raspberry Pi image",
        ),
    ],
)
def test_each_fault_of_a_table_is_told_in_one_line(head: bytes, fault: str) -> None:
    with pytest.raises(UnpackError, match=f"^{re.escape(fault)}$"):
        partitions_of(head)


SECTORS = st.integers(0, 2**32 - 1)
ENTRIES = st.tuples(st.sampled_from([0, 0x80, 1]), st.sampled_from([0, 5, 0x0C, 0x83]), SECTORS, SECTORS)


@given(
    st.lists(ENTRIES, max_size=4).map(lambda entries: mbr(*entries))
    | st.tuples(st.integers(0, 2047), st.integers(0, 255)).map(
        lambda change: GPT[: change[0]] + bytes([change[1]]) + GPT[change[0] + 1 :]
    )
    | st.binary(max_size=600).map(lambda data: data.ljust(HEAD))
)
def test_whatever_the_table_two_partitions_in_order_or_one_error_come_of_it(head: bytes) -> None:
    with suppress(UnpackError):
        boot, root = partitions_of(head)
        assert HEAD <= boot.start < boot.end <= root.start < root.end <= LARGEST_IMAGE
