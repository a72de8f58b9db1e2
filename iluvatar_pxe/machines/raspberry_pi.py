"""Raspberry Pis, by what their boot ROM or EEPROM says of them in a DHCP message.

Option 97 tells one, in one of these forms after its type octet (rpi-eeprom releases of 2019 to 2026):

    fourcc (4)  board revision (4, little-endian)  MAC from its third octet on (4)  serial number (4)
    serial number (4) four times      boot ROM of the 3B+, bootcode.bin, EEPROMs before 2020-03, DHCP_OPTION97=0
    44 sixteen times                  boot ROM of the 3B

The first is what Pi 4 and later send; its fourcc has three spellings (rpi-eeprom#182, cmprovision#16 and #61). The
owner may set another prefix, so the beginning of the MAC counts as well.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.wire.dhcp import DhcpMessage, Option
from iluvatar_pxe.wire.pxe import client_arch_codes

FOURCCS = (b"RPi4", b"4iPR", b"5iPR")
"""EEPROMs of 2020-03 to 2022-01; later ones of the Pi 4 and Pi 5s before 2023-10-30; Pi 5s since."""
OUIS = tuple(
    bytes.fromhex(prefix) for prefix in ("b827eb", "dca632", "e45f01", "28cdc1", "d83add", "2ccf67", "88a29e")
)
"""Beginnings of their MACs (IEEE)."""
MAKER = "Raspberry Pi"

_OUI_OF_THE_3 = OUIS[0]
_OWN_ARCHS = ((0,), (41,))
_ROM_OF_THE_3B = b"\x44" * 16


class Generation(StrEnum):
    """Which boot files a Pi needs."""

    PI3 = "pi3"
    PI4 = "pi4"
    PI5 = "pi5"


class RaspberryPi(Struct, frozen=True, kw_only=True):
    """A Pi as far as it tells: ``serial`` is eight digits in lower case, empty where it tells none.

    ``generation`` is None where only its MAC shows that it is a Pi; then it may need any of the files.
    """

    model: str = MAKER
    generation: Generation | None = None
    revision: int | None = None
    serial: str = ""


_PROCESSORS: Mapping[int, Generation] = MappingProxyType(
    {1: Generation.PI3, 2: Generation.PI3, 3: Generation.PI4, 4: Generation.PI5}
)
"""By bits 12 to 15 of the revision: BCM2836, 2837, 2711, 2712 (Raspberry Pi documentation, revision codes)."""
_MODELS: Mapping[int, tuple[str, Generation]] = MappingProxyType(
    {
        0x08: (f"{MAKER} 3 Model B", Generation.PI3),
        0x0D: (f"{MAKER} 3 Model B+", Generation.PI3),
        0x11: (f"{MAKER} 4 Model B", Generation.PI4),
        0x13: (f"{MAKER} 400", Generation.PI4),
        0x14: (f"{MAKER} Compute Module 4", Generation.PI4),
        0x17: (f"{MAKER} 5", Generation.PI5),
        0x18: (f"{MAKER} Compute Module 5", Generation.PI5),
        0x19: (f"{MAKER} 500", Generation.PI5),
        0x1A: (f"{MAKER} Compute Module 5 Lite", Generation.PI5),
    }
)
"""By bits 4 to 11 of the revision."""
_FAMILIES: Mapping[Generation, str] = MappingProxyType(
    {
        Generation.PI3: f"{MAKER} 3 family",
        Generation.PI4: f"{MAKER} 4 family",
        Generation.PI5: f"{MAKER} 5 family",
    }
)
"""The name of a Pi of unknown model."""
_BY_NAME: Mapping[str, Generation] = MappingProxyType(
    dict(_MODELS.values()) | {name: generation for generation, name in _FAMILIES.items()}
)
_SHORT_SERIAL = re.compile(r"[0-9a-f]{8}")
_ANY_SERIAL = re.compile(r"(?:[0-9a-f]{8})?[0-9a-f]{8}")
_PREFIX = re.compile(r"(?:(?P<serial>[0-9a-f]{8})|(?P<mac>[0-9a-f]{2}(?:-[0-9a-f]{2}){5}))/(?P<file>.+)")


def raspberry_pi(message: DhcpMessage) -> RaspberryPi | None:
    """Return the Pi whose own firmware sends this, or None.

    Architecture 0 is what that says, and 41 what IANA has for it. A Pi that runs UEFI or U-Boot has the same MAC, and
    says another.
    """
    if client_arch_codes(message)[:1] not in _OWN_ARCHS:
        return None
    machine_id = message.option(Option.CLIENT_MACHINE_ID) or b""
    oui, guid = message.chaddr[:3], machine_id[1:]
    if len(guid) == 16 and guid[:4] in FOURCCS:
        return _by_revision(int.from_bytes(guid[4:8], "little"), _serial(guid[12:]))
    if oui not in OUIS:
        return None
    if guid == _ROM_OF_THE_3B:
        return _of_generation(Generation.PI3)
    serial = _serial(guid[:4]) if len(guid) == 16 and guid == guid[:4] * 4 else ""
    return _of_generation(Generation.PI3 if oui == _OUI_OF_THE_3 else None, serial)


def generation_of(product: str) -> Generation | None:
    """Return the generation of a Pi by what it is called, or None."""
    return _BY_NAME.get(product)


def same_serial(one: str, other: str) -> bool:
    """Say whether two serial numbers are equal, or those of one Pi in two forms.

    Its EEPROM tells eight digits, in a byte order that is inferred, not documented; Linux and UEFI tell sixteen, of which
    those eight are the last.
    """
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if not _SHORT_SERIAL.fullmatch(short) or not _ANY_SERIAL.fullmatch(long):
        return False
    return long[-8:] in {short, _reversed(short)}


def serial_key(serial: str) -> str:
    """Return what serial numbers have in common that are the ``same_serial``; others may have it too."""
    if not _ANY_SERIAL.fullmatch(serial):
        return serial
    return min(serial[-8:], _reversed(serial[-8:]))


def _reversed(digits: str) -> str:
    return bytes.fromhex(digits)[::-1].hex()


class PiFile(Struct, frozen=True):
    """A file as a Pi asks for it: ``file`` below the serial number, the MAC, or neither (EEPROM: TFTP_PREFIX)."""

    file: str
    serial: str = ""
    mac: str = ""


def parse_file_name(name: str) -> PiFile:
    """Take apart the name of a TFTP request."""
    found = _PREFIX.fullmatch(name)
    if found is None:
        return PiFile(name)
    return PiFile(found["file"], found["serial"] or "", (found["mac"] or "").replace("-", ":"))


def _by_revision(revision: int, serial: str) -> RaspberryPi:
    processor = _PROCESSORS.get(revision >> 12 & 0xF)
    family = (_FAMILIES[processor] if processor else MAKER, processor)
    model, generation = _MODELS.get(revision >> 4 & 0xFF, family)
    return RaspberryPi(model=model, generation=generation, revision=revision, serial=serial)


def _of_generation(generation: Generation | None, serial: str = "") -> RaspberryPi:
    model = _FAMILIES[generation] if generation else MAKER
    return RaspberryPi(model=model, generation=generation, serial=serial)


def _serial(octets: bytes) -> str:
    return f"{int.from_bytes(octets, 'little'):08x}" if any(octets) else ""
