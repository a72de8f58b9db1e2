"""FAT file systems that mkfs.vfat and mtools make, read as they are, and broken ones refused in one line."""

import os
import re
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pi_images import UBUNTU_26_04, make_fat, needs_tools, run_tool

from iluvatar_pxe.assets.unpack import fat as module
from iluvatar_pxe.assets.unpack.fat import FatVolume
from iluvatar_pxe.errors import UnpackError

pytestmark = needs_tools

NAMES: Mapping[str, bytes] = {
    "start4.elf": b"lower",
    "START.ELF": b"upper",
    "Fixup.dat": b"mixed",
    "kernel8.IMG": b"base only",
    "KERNEL.img": b"extension only",
    "bcm2710-rpi-3-b-plus.dtb": b"d" * 70_000,
    "no_extension": b"",
    "a.b.c.d": b"dots",
    "Größe ß €.txt": b"unicode",
    "x" * 200 + ".bin": b"long",
    "overlays/vc4-kms-v3d-pi4.dtbo": b"o" * 1025,
    "overlays/deep/er/README": b"r",
    **{f"overlays/overlay-number-{number:04}.dtbo": f"{number}".encode() for number in range(300)},
}


@lru_cache(maxsize=1)
def whole_of(path: Path) -> bytes:
    return path.read_bytes()


def volume_of(path: Path, changed: Mapping[int, bytes] | None = None) -> FatVolume:
    """Open a volume, with other bytes at some offsets."""
    whole = memoryview(whole_of(path))

    def read(offset: int, length: int) -> bytes:
        part = bytearray(whole[offset : offset + length])
        for at, other in (changed or {}).items():
            for place, byte in enumerate(other, at - offset):
                if 0 <= place < len(part):
                    part[place] = byte
        return bytes(part)

    return FatVolume(read, len(whole))


def content_of(volume: FatVolume) -> dict[str, bytes]:
    return {file.path: b"".join(volume.content(file)) for file in volume.files()}


@pytest.mark.parametrize("fat", [16, 32])
def test_names_are_exact_and_contents_whole(tmp_path: Path, fat: int) -> None:
    assert content_of(volume_of(make_fat(tmp_path, NAMES, fat))) == NAMES


def test_what_was_deleted_is_not_there_and_fragments_are_joined(tmp_path: Path) -> None:
    path = make_fat(
        tmp_path, {name: name.encode() * 20_000 for name in ("one.bin", "two-long-name.bin", "three.bin")}
    )
    run_tool("mdel", "-i", str(path), "::/one.bin", "::/two-long-name.bin")
    pieces = tmp_path / "pieces"
    pieces.write_bytes(os.urandom(600_000))
    run_tool("mcopy", "-i", str(path), str(pieces), "::/pieces")
    assert content_of(volume_of(path)) == {"pieces": pieces.read_bytes(), "three.bin": b"three.bin" * 20_000}


def test_a_long_name_of_another_file_is_ignored(tmp_path: Path) -> None:
    """A system without long names has renamed the file, and left the records of the old name."""
    path = make_fat(tmp_path, {"a-long-name.bin": b"x"})
    found = volume_of(path, {entry_at(path, b"A-LONG~1BIN"): b"B"})
    assert content_of(found) == {"B-LONG~1.BIN": b"x"}


def test_a_volume_without_files_has_none(tmp_path: Path) -> None:
    path = make_fat(tmp_path, {"x": b"x"})
    run_tool("mdel", "-i", str(path), "::/x")
    assert content_of(volume_of(path)) == {}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_fat(tmp_path_factory.mktemp("fat"), {"a": b"a" * 3000, "folder/b": b"b"})


def table_at(path: Path) -> int:
    """Return where the first table begins."""
    return int(struct.unpack_from("<H", whole_of(path), 14)[0]) * 512


def entry_at(path: Path, name: bytes) -> int:
    """Return where a folder's record of a short name is."""
    return whole_of(path).index(name.ljust(11))


def chain(number: int, following: int) -> Callable[[Path], Mapping[int, bytes]]:
    return lambda path: {table_at(path) + 4 * number: struct.pack("<I", following)}


def record(name: bytes, at: int, data: bytes) -> Callable[[Path], Mapping[int, bytes]]:
    return lambda path: {entry_at(path, name) + at: data}


IMPOSSIBLE = "its parameters are impossible"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda _path: {510: b"\0\0"},
            "has no FAT file system in its first partition; use a Raspberry Pi image",
        ),
        (lambda _path: {11: b"\0\0"}, IMPOSSIBLE),
        (lambda _path: {13: b"\3"}, IMPOSSIBLE),
        (lambda _path: {14: b"\0\0"}, IMPOSSIBLE),
        (lambda _path: {16: b"\7"}, IMPOSSIBLE),
        (lambda _path: {32: b"\1\0\0\0"}, IMPOSSIBLE),
        (lambda _path: {36: b"\xff\xff\xff\xff"}, IMPOSSIBLE),
        (lambda _path: {36: b"\1\0\0\0"}, "its table is too short"),
        (lambda _path: {34: b"\7"}, "it is larger than its partition"),
        (lambda _path: {44: b"\xff\xff\xff\1"}, "a chain of clusters leads nowhere"),
        (chain(3, 0), "a chain of clusters leads nowhere"),
        (chain(3, 3), "a cluster is in two chains, or twice in one"),
        (chain(3, 0x0FFFFFFF), "a ends too early"),
        (record(b"A", 20, b"\xff\xff"), "a chain of clusters leads nowhere"),
        (record(b"A", 28, b"\xff\xff\xff\x7f"), "its files are larger than itself"),
        (record(b"FOLDER", 26, b"\2\0"), "a cluster is in two chains, or twice in one"),
        (record(b"A", 0, b"/"), "a file has the impossible name '/'"),
    ],
)
def test_each_fault_is_told_in_one_line(
    path: Path, change: Callable[[Path], Mapping[int, bytes]], fault: str
) -> None:
    whole = fault if fault.startswith("has ") else f"has a damaged FAT file system: {fault}; fetch it again"
    with pytest.raises(UnpackError, match=f"^{re.escape(whole)}$"):
        content_of(volume_of(path, change(path)))


@pytest.fixture(scope="module")
def crafted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[int, bytes]]:
    """A volume with 60 folders of one cluster, each of which has the same tail of 20,000 clusters of deleted files."""
    folders = {f"f{number}/x": b"" for number in range(60)}
    path = make_fat(tmp_path_factory.mktemp("crafted"), folders | {"zz-tail": b"\xe5" * 20_000 * 512})
    tail = struct.unpack_from("<H", whole_of(path), entry_at(path, b"ZZ-TAIL") + 26)[0]
    data = table_at(path) + whole_of(path)[16] * struct.unpack_from("<I", whole_of(path), 36)[0] * 512
    changed = {entry_at(path, b"ZZ-TAIL"): b"\xe5"}
    for number in range(60):
        at = entry_at(path, f"F{number}".encode())
        first = struct.unpack_from("<H", whole_of(path), at + 26)[0]
        changed[table_at(path) + 4 * first] = struct.pack("<I", tail)
        changed[data + (first - 2) * 512] = b"\xe5" * 512
    return path, changed


def test_folders_that_share_clusters_are_refused_before_each_is_read(
    crafted: tuple[Path, Mapping[int, bytes]],
) -> None:
    path, changed = crafted
    whole = bytearray(whole_of(path))
    for at, data in changed.items():
        whole[at : at + len(data)] = data
    read = 0

    def counted(offset: int, length: int) -> bytes:
        nonlocal read
        read += length
        return bytes(whole[offset : offset + length])

    with pytest.raises(UnpackError, match=r"a cluster is in two chains, or twice in one; fetch it again$"):
        FatVolume(counted, len(whole)).files()
    assert read < len(whole)


def test_folders_with_too_many_records_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RECORDS", 100)
    path = make_fat(tmp_path, {f"{folder}/{number}": b"" for folder in "abc" for number in range(20)})
    with pytest.raises(UnpackError, match=r"its folders have more than 100 records; fetch it again$"):
        volume_of(path).files()


def test_fat12_is_refused(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(bytes(1 << 20))
    run_tool("mkfs.vfat", "-F", "12", str(small))
    with pytest.raises(
        UnpackError, match=r"^has a FAT12 file system in its first partition; use an image with FAT32$"
    ):
        volume_of(small)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["boot", "table", "root"]), st.integers(0, 511), st.integers(0, 255)),
        max_size=8,
    )
)
def test_whatever_is_altered_files_or_one_error_come_of_it(
    path: Path, places: list[tuple[str, int, int]]
) -> None:
    starts = {"boot": 0, "table": table_at(path), "root": entry_at(path, b"A") & ~511}
    with suppress(UnpackError):
        content_of(volume_of(path, {starts[area] + at: bytes([value]) for area, at, value in places}))


def test_mtools_agree_about_an_image_of_ubuntu(tmp_path: Path) -> None:
    path = make_fat(tmp_path, UBUNTU_26_04)
    there = tmp_path / "there"
    there.mkdir()
    run_tool("mcopy", "-s", "-n", "-i", str(path), "::/", str(there))
    found = {str(file.relative_to(there)): file.read_bytes() for file in there.rglob("*") if file.is_file()}
    assert content_of(volume_of(path)) == found
