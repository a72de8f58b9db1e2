"""What a file unpacks to is known while it is downloaded, as far as its beginning tells."""

import lzma
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import zstandard
from support.archives import ipxe_archive
from support.partition_tables import BOOT, ROOT, mbr

from iluvatar_pxe.assets.unpack import beginning
from iluvatar_pxe.assets.unpack.beginning import BEGINNING, bytes_unpacked
from iluvatar_pxe.assets.unpack.root import debugfs_path
from iluvatar_pxe.catalogue.download import Unpack

SECTOR = 512
IMAGE = mbr(BOOT, ROOT) + os.urandom(BEGINNING)
BOTH = SECTOR * (2 * 1000 + 9000)
"""The boot partition is copied to read its files, and compressed, too."""


def told_by(path: Path, content: bytes, unpack: Unpack = Unpack.PI_IMAGE) -> int:
    """Return what is told by what is there of a file when it is looked at."""
    path.write_bytes(content[:BEGINNING])
    with path.open("rb") as file:
        told = bytes_unpacked(unpack, file)
        assert file.tell() == 0
    return told


@pytest.mark.parametrize(
    "compress", [bytes, partial(lzma.compress, preset=0), zstandard.ZstdCompressor().compress]
)
def test_an_image_tells_by_its_partition_table(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    content = compress(IMAGE)
    assert len(content) > BEGINNING
    copied = SECTOR * 9000 if debugfs_path() else 0
    assert told_by(tmp_path / "image", content) == BOTH + copied


def test_without_debugfs_the_root_file_system_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "debugfs_path", lambda: None)
    assert told_by(tmp_path / "image", IMAGE) == BOTH


@pytest.mark.parametrize(
    ("unpack", "content"),
    [
        (Unpack.NONE, IMAGE),
        (Unpack.ARCHIVE, ipxe_archive()),
        (Unpack.PI_IMAGE, ipxe_archive()),
        (Unpack.PI_IMAGE, lzma.compress(IMAGE, preset=0)[:100]),
        (Unpack.PI_IMAGE, b"<html>"),
    ],
    ids=["a file", "an archive", "no image", "too short", "a page"],
)
def test_what_tells_nothing_takes_nothing(tmp_path: Path, unpack: Unpack, content: bytes) -> None:
    assert told_by(tmp_path / "file", content, unpack) == 0
