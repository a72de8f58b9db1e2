"""Kernel modules out of initrds as initramfs-tools and dracut write them."""

import gzip
import lzma
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from support.pi_assets import initrd

from iluvatar_pxe.errors import UnpackError
from iluvatar_pxe.layers.ainur.installer.vendor import modules_in

NAMES = ("lib/modules/6.8/kernel/genet.ko.zst", "lib/modules/6.8/kernel/fs/ext4.ko")


def archive(folder: Path, *names: str) -> bytes:
    """Return one that cpio makes."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 3)
    command = ["cpio", "--create", "--format=newc", "--quiet"]
    done = subprocess.run(
        command, input="\n".join(names).encode(), cwd=folder, capture_output=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, zstandard.compress])
def test_modules_are_found_behind_an_archive_that_is_not_compressed(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    early, late = archive(tmp_path, "kernel/microcode"), archive(tmp_path, *NAMES, "init")
    found = modules_in(early + bytes(7) + compress(late))
    assert {name: read() for name, read in found.items()} == {name: name.encode() * 3 for name in NAMES}


def test_the_initrd_of_other_tests_is_read_likewise() -> None:
    assert {name: read() for name, read in modules_in(initrd({"a.ko": b"1"})).items()} == {"lib/a.ko": b"1"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "without kernel modules"),
        (b"\x02!L\x18lz4", "compressed in an unknown way"),
        (b"\x28\xb5\x2f\xfdnot zstd", "damaged"),
        (b"070701" + b"z" * 200, "damaged"),
    ],
)
def test_what_is_no_initrd_with_modules_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(UnpackError, match=why):
        modules_in(content)


@given(st.integers(0, 400), st.binary(max_size=4))
def test_a_damaged_initrd_is_refused_with_one_error_or_read(at: int, octets: bytes) -> None:
    good = initrd({"a.ko": b"1"})
    with suppress(UnpackError):
        modules_in(good[:at] + octets + good[at + len(octets) :])
