"""Writes the card that gives a Raspberry Pi's EEPROM another bootloader and boot order.

The boot ROM runs recovery.bin from the first FAT partition of a card. That writes pieeprom.bin to the EEPROM if its
checksum is the one in pieeprom.sig, and then blinks. Both families of chips look for files of the same names, which
differ, so each has a card of its own.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.boot_order import changed
from iluvatar_pxe.layers.ainur.seed_card.card_file import new_file
from iluvatar_pxe.layers.ainur.seed_card.eeprom import (
    Chip,
    check_image,
    configuration_of,
    signature_of,
    with_configuration,
)
from iluvatar_pxe.layers.ainur.seed_card.faults import named
from iluvatar_pxe.layers.ainur.seed_card.mtools import copy_in, make_fat32
from iluvatar_pxe.layers.ainur.seed_card.partition_table import FIRST, SECTOR, one_fat32

_SECTORS = 64 * 2048
"""64 MiB: FAT32 needs more than 32."""
_LARGEST = 4 << 20
_REMEDY = "take the folder firmware-CHIP/default of raspberrypi/rpi-eeprom"


class Bootloader(Struct, frozen=True):
    """The files of rpi-eeprom: the EEPROM's image, where it was read, and the program that writes it."""

    image: bytes
    source: Path
    recovery: bytes


def bootloader_in(folder: Path, chip: Chip) -> Bootloader:
    """Return the newest bootloader of a folder, by its name; raises SeedCardError."""
    image = _newest(folder, "pieeprom")
    bootloader = Bootloader(_read(image), image, _read(_newest(folder, "recovery")))
    with named(image):
        check_image(bootloader.image, chip)
    return bootloader


def write_recovery_card(
    out: Path, bootloader: Bootloader, settings: Mapping[str, str], now: datetime, *, force: bool
) -> str:
    """Write the card, and return the configuration that it brings; raises SeedCardError, and OSError."""
    with named(bootloader.source):
        text = changed(configuration_of(bootloader.image), settings)
        image = with_configuration(bootloader.image, text)
    files = {
        "recovery.bin": bootloader.recovery,
        "pieeprom.bin": image,
        "pieeprom.sig": signature_of(image, now).encode(),
    }
    size = (FIRST + _SECTORS) * SECTOR
    with new_file(out, size, force=force) as card:
        card.write_bytes(one_fat32(_SECTORS))
        os.truncate(card, size)
        make_fat32(card, FIRST * SECTOR, _SECTORS, "RECOVERY")
        place = card.with_name("files")
        place.mkdir()
        for name, content in files.items():
            (place / name).write_bytes(content)
        copy_in(card, FIRST * SECTOR, sorted(place.iterdir()))
    return text


def _newest(folder: Path, name: str) -> Path:
    """Return the file of this name, or the newest with a date in it: dates are sorted like text."""
    found = [
        path for path in (*sorted(folder.glob(f"{name}-*.bin")), folder / f"{name}.bin") if path.is_file()
    ]
    if not found:
        raise SeedCardError(f"{folder}: has no {name}.bin and no {name}-DATE.bin; {_REMEDY}")
    return found[-1]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if not 0 < len(content) <= _LARGEST:
        raise SeedCardError(f"{path}: is empty, or larger than {_LARGEST} bytes; {_REMEDY}")
    return content
