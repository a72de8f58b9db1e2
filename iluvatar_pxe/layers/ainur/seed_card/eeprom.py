"""Images of the bootloader's EEPROM: their sections, their configuration, and when they were built. Pure.

They are written as rpi-eeprom-config and rpi-eeprom-digest of raspberrypi/rpi-eeprom do.
"""

import hashlib
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum

from msgspec import Struct

from iluvatar_pxe.errors import SeedCardError

_HEADER = struct.Struct(">II")
"""A section's magic, and its length without this header."""
_FILE_HEADER = 20
"""Bytes before a file's length begins to count its content: header and name."""
_NAME = 12
_MAGIC, _MAGIC_MASK = 0x55AAF00F, 0xFFFFF00F
_FILE, _PADDING = 0x55AAF11F, 0x55AAFEEF
_END = {0, 0xFFFFFFFF}
_SECTOR = 4096
"""What is erased at once: a file fits into one, and the last one is the bootloader's own."""
LARGEST_CONFIGURATION = _SECTOR - _FILE_HEADER
_CONFIGURATION = "bootconf.txt"
_BUILT = re.compile(rb"BUILD_TIMESTAMP=(\d{9,11})")
_ERASED = b"\xff"
_REMEDY = "take pieeprom.bin from raspberrypi/rpi-eeprom"


class Chip(Enum):
    """A family of boards: its name, the bytes of its EEPROM, and the oldest image that its boards are given.

    Older ones start neither Ubuntu 26.04 nor boards of that time (Canonical, Raspberry Pi boards: A/B boot).
    """

    BCM2711 = ("2711", 512 << 10, datetime(2022, 11, 25, tzinfo=UTC))
    BCM2712 = ("2712", 2 << 20, datetime(2025, 2, 11, tzinfo=UTC))

    def __init__(self, number: str, size: int, oldest: datetime) -> None:
        self.number = number
        self.size = size
        self.oldest = oldest


class _Section(Struct, frozen=True):
    magic: int
    offset: int
    length: int
    name: str

    @property
    def is_configuration(self) -> bool:
        return self.magic == _FILE and self.name == _CONFIGURATION

    @property
    def content(self) -> int:
        """Where a file's content begins."""
        return self.offset + _FILE_HEADER + 4

    @property
    def end(self) -> int:
        return self.offset + _HEADER.size + self.length


def check_image(image: bytes, chip: Chip) -> None:
    """Raise SeedCardError unless this is an image for the chip that is new enough for all of its boards."""
    if len(image) != chip.size:
        raise SeedCardError(
            f"has {len(image)} bytes, but the EEPROM of a {chip.number} has {chip.size}; {_REMEDY}, "
            f"folder firmware-{chip.number}"
        )
    built = built_at(image)
    if built.date() < chip.oldest.date():
        raise SeedCardError(
            f"was built on {built:%Y-%m-%d}, before {chip.oldest:%Y-%m-%d}, and newer boards do not start with "
            f"it; use a newer image"
        )


def built_at(image: bytes) -> datetime:
    """Return when an image was built; raises SeedCardError where it does not say so."""
    found = _BUILT.search(image)
    if not found:
        raise SeedCardError(f"does not say when it was built; {_REMEDY}")
    return datetime.fromtimestamp(int(found[1]), UTC)


def configuration_of(image: bytes) -> str:
    """Return the text of an image's configuration; raises SeedCardError."""
    section, _, _ = _configuration(image)
    return image[section.content : section.end].decode(errors="replace")


def with_configuration(image: bytes, text: str) -> bytes:
    """Return an image with another configuration; raises SeedCardError where that is too long."""
    section, end, is_last = _configuration(image)
    content = text.encode()
    if len(content) > LARGEST_CONFIGURATION or section.content + len(content) > end:
        raise SeedCardError(
            f"has no room for a configuration of {len(content)} bytes; shorten it to {LARGEST_CONFIGURATION}"
        )
    header = _HEADER.pack(_FILE, len(content) + _NAME + 4) + image[section.offset + 8 : section.content]
    file = header + content
    file += _ERASED * (-(section.offset + len(file)) % 8)
    left = end - section.offset - len(file)
    if left > _HEADER.size and not is_last:
        left -= _HEADER.size
        file += _HEADER.pack(_PADDING, left)
    return image[: section.offset] + file + _ERASED * left + image[end:]


def signature_of(image: bytes, now: datetime) -> str:
    """Return the text of pieeprom.sig, by which recovery.bin recognises an image that was read correctly."""
    return f"{hashlib.sha256(image).hexdigest()}\nts: {int(now.timestamp())}\n"


def _configuration(image: bytes) -> tuple[_Section, int, bool]:
    """Return the section of the configuration, where the next one begins, and whether there is none behind it."""
    sections = list(_sections(image))
    found = next((one for one in sections if one.is_configuration), None)
    if found is None:
        raise SeedCardError(f"has no configuration in it; {_REMEDY}")
    behind = [one for one in sections if one.offset > found.offset]
    end = next((one.offset for one in behind if one.magic != _PADDING), len(image) - _SECTOR)
    return found, end, not behind


def _sections(image: bytes) -> Iterator[_Section]:
    offset = 0
    while offset + _FILE_HEADER <= len(image):
        magic, length = _HEADER.unpack_from(image, offset)
        if magic in _END:
            return
        if magic & _MAGIC_MASK != _MAGIC or offset + _HEADER.size + length > len(image):
            raise SeedCardError(f"is no EEPROM image, or a damaged one; {_REMEDY}")
        name = image[offset + 8 : offset + _FILE_HEADER].rstrip(b"\0").decode(errors="replace")
        yield _Section(magic, offset, length, name if magic == _FILE else "")
        offset += (_HEADER.size + length + 7) & ~7
