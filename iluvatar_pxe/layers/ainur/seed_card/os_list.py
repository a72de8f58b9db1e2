"""The list of operating systems that Raspberry Pi Imager shows with ``--repo``. Pure.

raspberrypi/rpi-imager, doc/json-schema/os-list-schema.json and doc/os_customisation_formats.md.
"""

import json
from datetime import date

from msgspec import Struct

_DEVICES = ("pi3-64bit", "pi4-64bit", "pi5-64bit")
"""Imager's names of the models: Pi 400 and CM4 are under pi4, Pi 500 and CM5 under pi5."""
_ICON = "icons/cat_raspberry_pi_os.png"
"""Imager's schema requires one; this one comes with Imager."""


class Card(Struct, frozen=True):
    """A seed card's image as it is downloaded, perhaps compressed, and as it is written: bytes, and sha256 in hex."""

    url: str
    name: str
    size: int
    sha256: str
    written_size: int
    written_sha256: str
    init_format: str
    """How Imager hands over what a person chooses there, such as users: ``cloudinit`` or ``cloudinit-rpi``."""
    made: date


def os_list(card: Card) -> str:
    """Return the list, as JSON."""
    entry = {
        "name": card.name,
        "description": "The first Raspberry Pi of a fleet: it serves all others",
        "icon": _ICON,
        "url": card.url,
        "extract_size": card.written_size,
        "extract_sha256": card.written_sha256,
        "image_download_size": card.size,
        "image_download_sha256": card.sha256,
        "release_date": card.made.isoformat(),
        "devices": list(_DEVICES),
        "init_format": card.init_format,
        "architecture": "armv8",
    }
    return json.dumps({"os_list": [entry]}, indent=2) + "\n"
