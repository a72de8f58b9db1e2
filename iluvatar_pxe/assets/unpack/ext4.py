"""What the beginning of an ext4 file system says, and what dpkg says of the packages in it. Pure.

Linux, Documentation/filesystems/ext4/super.rst.
"""

import re
import struct
from collections.abc import Iterable

from iluvatar_pxe.errors import UnpackError

HEAD = 2048
"""Bytes of its beginning that are looked at."""
_CHECKSUMMED = 0x400
_64_BIT = 0x80
_POLYNOMIAL = 0x82F63B78
"""Of CRC-32C, reflected (RFC 3720)."""


def check_ext4(head: bytes, size: int) -> None:
    """Raise UnpackError unless a partition of ``size`` bytes begins with a superblock that can be true."""
    block = head[1024:2048]
    if len(block) < 1024 or block[56:58] != b"\x53\xef":
        raise UnpackError("has no ext4 file system in its second partition; use a Raspberry Pi image")
    blocks, exponent = struct.unpack_from("<I", block, 4)[0], struct.unpack_from("<I", block, 24)[0]
    incompatible, read_only = struct.unpack_from("<II", block, 96)
    if incompatible & _64_BIT:
        blocks |= struct.unpack_from("<I", block, 336)[0] << 32
    if read_only & _CHECKSUMMED and _crc32c(block[:1020]) != struct.unpack_from("<I", block, 1020)[0]:
        raise UnpackError(
            "has a damaged ext4 file system: its superblock's checksum is wrong; fetch it again"
        )
    if exponent > 6 or not blocks or blocks << (10 + exponent) > size:
        raise UnpackError("has a damaged ext4 file system: it is larger than its partition; fetch it again")


def versions_in(status: str, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages by name, as ``/var/lib/dpkg/status`` has them."""
    found = {}
    for paragraph in re.split(r"\n\n+", status):
        fields = dict(re.findall(r"^(Package|Status|Version): (.+)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed") and "Version" in fields:
            found[fields.get("Package", "")] = fields["Version"]
    return {name: found[name] for name in packages if name in found}


def _crc32c(data: bytes) -> int:
    """Return the checksum as ext4 has it: begun with ones, and not inverted at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc
