"""Firmware that does not do what the standards say: one row each, with symptom and evidence."""

from collections.abc import Callable
from dataclasses import dataclass

from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.dhcp import DhcpMessage, Option
from iluvatar_pxe.wire.pxe import HTTP_CLIENT, PXE_CLIENT, client_arch_codes

BOOT_VENDOR_CLASSES = (PXE_CLIENT, HTTP_CLIENT, b"HW-Client")
"""Beginnings of option 60 that ask for a boot, each answered in kind.

``HW-Client``: some vendors' PXE ROMs send it in place of ``PXEClient`` (dnsmasq manual, --dhcp-pxe-vendor).
"""

RASPBERRY_PI_FOURCCS = (b"RPi4", b"4iPR", b"5iPR")
"""First four octets of a Pi's option 97 after the type, as three EEPROM generations write them."""
RASPBERRY_PI_OUIS = tuple(
    bytes.fromhex(prefix) for prefix in ("b827eb", "dca632", "e45f01", "28cdc1", "d83add", "2ccf67", "88a29e")
)


@dataclass(frozen=True, slots=True)
class Quirk:
    """A client that must be told apart from what it says it is."""

    name: str
    symptom: str
    evidence: str
    matches: Callable[[DhcpMessage], bool]
    firmware: Firmware


def _is_raspberry_pi(message: DhcpMessage) -> bool:
    if client_arch_codes(message)[:1] != (0,):
        return False  # a UEFI or U-Boot build on the same board (garybowers/bootimus#118)
    machine_id = message.option(Option.CLIENT_MACHINE_ID) or b""
    return machine_id[1:5] in RASPBERRY_PI_FOURCCS or message.chaddr[:3] in RASPBERRY_PI_OUIS


QUIRKS = (
    Quirk(
        name="raspberry-pi",
        symptom="a Pi's boot ROM or EEPROM says architecture 0, x86 BIOS, and cannot run a BIOS program",
        evidence="raspberrypi/firmware#1928; R eeprom-bootloader.adoc (option 97); rpi-eeprom#720 (2c:cf:67)",
        matches=_is_raspberry_pi,
        firmware=Firmware.RASPBERRY_PI,
    ),
)


def quirk_of(message: DhcpMessage) -> Quirk | None:
    """Return the first row that matches a message, or None."""
    return next((quirk for quirk in QUIRKS if quirk.matches(message)), None)


def boot_vendor_class(message: DhcpMessage) -> bytes | None:
    """Return the class with which to answer a client that asks for a boot by option 60, else None."""
    sent = message.option(Option.VENDOR_CLASS) or b""
    return next((known for known in BOOT_VENDOR_CLASSES if sent.startswith(known)), None)
