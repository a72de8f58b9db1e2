"""What is certainly wrong with a boot file, as far as its beginning and its size tell.

Formats that are not known here may be all right: firmware has the last word.
"""

import re
import struct

from iluvatar_pxe.wire.pxe import CpuArch

HEAD = 4096
"""Bytes of the beginning that are looked at."""
_PAGE = re.compile(rb"\s*(<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)
_POINTER = b"version https://git-lfs.github.com/spec/"
_MACHINES = {0x8664: CpuArch.X86_64, 0xAA64: CpuArch.ARM64, 0x14C: CpuArch.I386, 0x1C2: CpuArch.ARM32}
"""PE/COFF machine types (UEFI 2.10, 2.1.1) by processor."""
_ARM64_IMAGE = b"ARM\x64"
"""At offset 56 of an arm64 kernel (Linux, arch/arm64/boot.rst)."""
_BZIMAGE = b"HdrS"
"""At offset 514 of an x86 kernel (Linux, arch/x86/boot.rst)."""


def fault_of(head: bytes, size: int, arch: CpuArch | None = None) -> str:
    """Return what is wrong with a file for ``arch`` (None: any), or an empty text; ``head`` are its first bytes."""
    if not size:
        return "is empty"
    if _PAGE.match(head):
        return "is a web page, as a failed download leaves it"
    if head.startswith(_POINTER):
        return "is a pointer of Git LFS, not the file itself"
    found, needed = _program(head)
    if found and arch and found is not arch:
        return f"is for {found}, not for {arch}"
    if needed > size:
        return f"is truncated: it has {size} bytes of at least {needed}"
    return ""


def _program(head: bytes) -> tuple[CpuArch | None, int]:
    """Return the processor of a kernel or UEFI program, None where it cannot be told, and how many bytes it has at least."""
    if head[514:518] == _BZIMAGE:
        setup_sectors = head[0x1F1] or 4
        (paragraphs,) = struct.unpack_from("<I", head, 0x1F4)
        return CpuArch.X86_64, (setup_sectors + 1) * 512 + paragraphs * 16
    if head[:2] == b"MZ" and len(head) >= 64:
        return _portable_executable(head, *struct.unpack_from("<I", head, 60))
    return (CpuArch.ARM64, 0) if head[56:60] == _ARM64_IMAGE else (None, 0)


def _portable_executable(head: bytes, start: int) -> tuple[CpuArch | None, int]:
    """Look at the COFF header and the sections' places in the file."""
    if head[start : start + 4] != b"PE\0\0" or len(head) < start + 24:
        return None, 0
    machine, sections, optional = struct.unpack_from("<HH12xH", head, start + 4)
    first = start + 24 + optional
    ends = [0]
    for at in range(first, min(first + 40 * sections, len(head) - 39), 40):
        length, offset = struct.unpack_from("<II", head, at + 16)
        ends.append(length + offset if offset else 0)
    return _MACHINES.get(machine), max(ends)
