"""EEPROM images of Raspberry Pis, made section by section: stand-ins, with the sizes and the shape of the real ones."""

import struct

from iluvatar_pxe.layers.ainur.seed_card.eeprom import Chip

FACTORY = "[all]\nBOOT_UART=1\nBOOT_ORDER=0xf461\nNET_INSTALL_AT_POWER_ON=1\n"
NEW = 1_790_000_000
"""When an image was built: in September 2026."""
CODE, FILE = 0x55AAF10F, 0x55AAF11F


def section(magic: int, content: bytes, name: str = "") -> bytes:
    """Return a section; a file's content is behind its name and four bytes more."""
    body = (name.encode().ljust(12, b"\0") + bytes(4) if name else b"") + content
    data = struct.pack(">II", magic, len(body)) + body
    return data + b"\xff" * (-len(data) % 8)


def eeprom_image(chip: Chip, *, configuration: str = FACTORY, built: int = NEW, behind: bool = True) -> bytes:
    """Return an image whose configuration has a sector of its own, with another file ``behind`` it or none."""
    code = section(CODE, f"BUILD_TIMESTAMP={built}\0".encode() + b"\x90" * 5000)
    code += section(0x55AAFEEF, b"\xff" * (-len(code) % 4096 - 8))
    file = section(FILE, configuration.encode(), "bootconf.txt")
    if behind:
        file += section(0x55AAFEEF, b"\xff" * (-len(file) % 4096 - 8))
        file += section(FILE, b"\x11" * 264, "pubkey.bin")
    return (code + file).ljust(chip.size, b"\xff")
