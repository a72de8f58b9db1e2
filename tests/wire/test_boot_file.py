"""What is certainly wrong with a boot file; what is not known may be all right."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.wire.boot_file import HEAD, fault_of
from iluvatar_pxe.wire.pxe import CpuArch

X86, ARM = CpuArch.X86_64, CpuArch.ARM64
PROGRAMS = [path for path in (Path("/usr/lib/ipxe/snponly.efi"), Path("/boot/ipxe.efi")) if path.is_file()]


def portable(machine: int, ends: tuple[int, ...] = (4096,)) -> bytes:
    """Return the headers of a PE program whose sections end there."""
    sections = b"".join(struct.pack("<16xII16x", end - 512, 512) for end in ends)
    coff = b"PE\0\0" + struct.pack("<HH12xH2x", machine, len(ends), 8) + bytes(8)
    return (b"MZ" + bytes(58) + struct.pack("<I", 64) + coff + sections).ljust(1024, b"\0")


def bzimage(paragraphs: int) -> bytes:
    head = bytearray(1024)
    head[0x1F1] = 3
    head[0x1F4:0x1F8] = struct.pack("<I", paragraphs)
    head[514:518] = b"HdrS"
    return bytes(head)


ARM64_IMAGE = bytes(56) + b"ARM\x64" + bytes(64)


@pytest.mark.parametrize(
    ("head", "size", "arch", "fault"),
    [
        (b"", 0, None, "is empty"),
        (b"<!DOCTYPE html>\n<title>404", 9000, None, "is a web page, as a failed download leaves it"),
        (b"\n <HTML lang=en>", 9000, X86, "is a web page, as a failed download leaves it"),
        (b"<?xml version='1.0'?><Error>", 9000, X86, "is a web page, as a failed download leaves it"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:",
            130,
            ARM,
            "is a pointer of Git LFS, not the file itself",
        ),
        (portable(0xAA64), 4096, X86, "is for arm64, not for x86_64"),
        (portable(0x8664), 4096, ARM, "is for x86_64, not for arm64"),
        (portable(0x8664), 4095, X86, "is truncated: it has 4095 bytes of at least 4096"),
        (portable(0xAA64, (4096, 9000, 512)), 8999, ARM, "is truncated: it has 8999 bytes of at least 9000"),
        (bzimage(100), 3647, X86, "is truncated: it has 3647 bytes of at least 3648"),
        (bzimage(100), 3648, ARM, "is for x86_64, not for arm64"),
        (ARM64_IMAGE, 200, X86, "is for arm64, not for x86_64"),
    ],
)
def test_a_file_that_does_not_boot(head: bytes, size: int, arch: CpuArch | None, fault: str) -> None:
    assert fault_of(head, size, arch) == fault


@pytest.mark.parametrize(
    ("head", "size", "arch"),
    [
        (b"kernel", 6, X86),
        (b"\x1f\x8b\x08", 9000, ARM),
        (portable(0x8664), 4096, X86),
        (portable(0x1234), 4096, X86),
        (portable(0xAA64), 4096, None),
        (bzimage(100), 3648, X86),
        (bzimage(100), 9000, X86),
        (ARM64_IMAGE, 200, ARM),
        (b"MZ", 2, X86),
        (b"MZ" + b"\xff" * 62, 64, X86),
    ],
)
def test_a_file_that_may_boot(head: bytes, size: int, arch: CpuArch | None) -> None:
    assert fault_of(head, size, arch) == ""


@pytest.mark.skipif(not PROGRAMS, reason="needs Debian's package ipxe")
def test_debians_ipxe_is_whole_and_for_x86() -> None:
    for path in PROGRAMS:
        content = path.read_bytes()
        assert fault_of(content[:HEAD], len(content), X86) == ""
        assert fault_of(content[:HEAD], len(content), ARM) == "is for x86_64, not for arm64"
        assert "is truncated" in fault_of(content[:HEAD], len(content) // 2, X86)


@given(st.binary(max_size=700) | st.binary(max_size=700).map(lambda rest: b"MZ" + rest))
def test_no_file_is_too_strange(head: bytes) -> None:
    assert isinstance(fault_of(head, len(head), X86), str)
