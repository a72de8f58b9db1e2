"""The table of misbehaving firmware: how to identify it, its fault, the evidence, and the workaround.

``QUIRKS`` says what is done as data, which ``fingerprint`` and ``replies`` go by; a message may match several rows.
"""

from collections.abc import Callable

from msgspec import Struct

from iluvatar_pxe.machines.raspberry_pi import Generation, RaspberryPi, raspberry_pi
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.dhcp import DhcpMessage, Option
from iluvatar_pxe.wire.pxe import HTTP_CLIENT, PXE_CLIENT

HW_CLIENT = b"HW-Client"

RASPBERRY_PI_ITEM = "Raspberry Pi Boot"
"""What a Pi looks for in a boot menu."""
RASPBERRY_PI_MENU = (
    bytes.fromhex("060103")  # discovery control: no broadcast, no multicast
    + bytes.fromhex("0a0400")
    + b"PXE"  # menu prompt: at once
    + bytes.fromhex("0917000014")
    + f"{RASPBERRY_PI_ITEM}   ".encode()  # the menu: type 0, 20 characters
    + b"\xff"
)
"""Option 43 for a Pi, the 3B's way: it counts three characters too few, and later models ignore what follows."""


class Quirk(Struct, frozen=True, kw_only=True):
    """One row: a message that ``matches`` comes from firmware with this ``symptom``. The rest is what is done."""

    name: str
    symptom: str
    evidence: str
    matches: Callable[[DhcpMessage, RaspberryPi | None], bool]
    """Goes by the message, and by the Pi that it is of, if any."""
    firmware: Firmware | None = None
    """Who it is, whatever else it says."""
    vendor_options: bytes | None = None
    """Option 43 of the reply."""
    server_name: bool = False
    """Option 66 of the reply carries this server's address, as text."""
    delay: float = 0.0
    """Seconds that the reply waits."""
    vendor_class: bytes | None = None
    """How its option 60 begins, in place of ``PXEClient``: option 60 of the reply."""
    one_at_a_time: bool = False
    """While one of them has not come further than the reply, the replies of others wait in a queue."""


def _is_hw_client(message: DhcpMessage, _pi: RaspberryPi | None) -> bool:
    return (message.option(Option.VENDOR_CLASS) or b"").startswith(HW_CLIENT)


def _is_raspberry_pi(_message: DhcpMessage, pi: RaspberryPi | None) -> bool:
    return pi is not None


def _is_pi_3(_message: DhcpMessage, pi: RaspberryPi | None) -> bool:
    return pi is not None and pi.generation is Generation.PI3


QUIRKS = (
    Quirk(
        name="hw-client",
        symptom="the PXE firmware of some vendors says HW-Client in option 60, and wants that back",
        evidence="dnsmasq's manual, --dhcp-pxe-vendor",
        matches=_is_hw_client,
        vendor_class=HW_CLIENT,
    ),
    Quirk(
        name="raspberry-pi-says-bios",
        symptom="a Pi's boot ROM or EEPROM says architecture 0, x86 BIOS, and cannot run a BIOS program",
        evidence="rpi-eeprom#182, raspberrypi/firmware#1928, cmprovision#16 and #61 (the fourcc's spellings)",
        matches=_is_raspberry_pi,
        firmware=Firmware.RASPBERRY_PI,
    ),
    Quirk(
        name="raspberry-pi-menu",
        symptom=(
            "a Pi takes no offer but one with a boot menu of the single item 'Raspberry Pi Boot'; the 3B reads its"
            " length wrong, and early Pi 4s fail at a second item"
        ),
        evidence="raspberrypi/firmware#764, #859, #862, #894; rpi-eeprom#60, #376; dnsmasq's reply shape",
        matches=_is_raspberry_pi,
        vendor_options=RASPBERRY_PI_MENU,
    ),
    Quirk(
        name="raspberry-pi-server",
        symptom="Pis differ in which of options 54 and 66, siaddr and the source address names the TFTP server",
        evidence="rpi-eeprom#72 (66 misread), #376 (menu before the router's siaddr)",
        matches=_is_raspberry_pi,
        server_name=True,
    ),
    Quirk(
        name="raspberry-pi-3-takes-its-time",
        symptom="a Pi 3's boot ROM misses a proxy's offer that comes before the router's",
        evidence="raspberrypi/firmware#859, #862: a delay of 1 to 2 s cures it",
        matches=_is_pi_3,
        delay=1.5,
    ),
    Quirk(
        name="raspberry-pi-3-constant-xid",
        symptom="all Pi 3s use the transaction 0x26f30339, and take offers that are meant for another",
        evidence="raspberrypi/firmware#1067",
        matches=_is_pi_3,
        one_at_a_time=True,
    ),
)


def quirks_of(message: DhcpMessage) -> tuple[Quirk, ...]:
    """Return the rows that match a message, in the table's order."""
    pi = raspberry_pi(message)
    return tuple(quirk for quirk in QUIRKS if quirk.matches(message, pi))


def boot_vendor_class(message: DhcpMessage) -> bytes | None:
    """Return the class with which to answer a client that asks for a boot by option 60, else None."""
    sent = message.option(Option.VENDOR_CLASS) or b""
    if standard := next((one for one in (PXE_CLIENT, HTTP_CLIENT) if sent.startswith(one)), None):
        return standard
    return next((quirk.vendor_class for quirk in quirks_of(message) if quirk.vendor_class), None)
