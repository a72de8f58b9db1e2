"""How often each firmware asks, and for what: its waits between messages, and its TFTP options.

Seconds; a message is sent, then the first wait passes, then it is sent again, and so on.
"""

from iluvatar_pxe.simulate.tftp_download import Manner
from iluvatar_pxe.wire.tftp.packet import Error, ErrorCode

UEFI_DISCOVER = (3.6, 8.0, 16.0, 32.0)
"""EDK2 collects offers for the whole of a wait; of the first, which counts as 4 s, 3.6 to 3.8 were seen to pass."""
UEFI_REQUEST = (4.0, 8.0, 16.0, 32.0)
BIOS_DISCOVER = (4.0, 8.0, 16.0, 32.0)
"""PXE 2.1 section 2.2.1."""
BOOT_SERVER = (1.0, 2.0, 3.0, 4.0)
"""REQUESTs to port 4011 (PXE 2.1 section 2.2.3), and a BIOS ROM's to the router."""
BEFORE_TFTP = 1.0
"""OVMF and AAVMF pause after the boot server's ACK."""

IPXE_DISCOVER = (1.0, 2.0, 4.0, 8.0)
IPXE_REQUEST = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
IPXE_BOOT_SERVER = (0.25, 0.5, 1.0, 2.0)
"""ipxe config/dhcp.h."""

PI3_DISCOVER = (5.0,) * 5
PI_DISCOVER = (4.0, 8.0, 16.0, 17.0)
"""Gaps of 4, 8 and 16 s, 45 s in all (raspberrypi/rpi-eeprom#58, DHCP_TIMEOUT)."""
PI_REQUEST = (4.0,) * 4

_UEFI_OPTIONS = (("blksize", "1468"), ("windowsize", "4"))
UEFI_SIZE = Manner(
    options=(("tsize", "0"), *_UEFI_OPTIONS),
    abort=Error(ErrorCode.OPTION_REFUSED, "User aborted the transfer"),
)
"""EDK2 asks for the size first, and ends that as soon as it knows."""
UEFI_FILE = Manner(options=_UEFI_OPTIONS)

_BIOS_OPTIONS = (("blksize", "1456"),)
BIOS_SIZE = Manner(
    options=(("tsize", "0"), *_BIOS_OPTIONS), abort=Error(ErrorCode.NOT_DEFINED, "TFTP Aborted")
)
BIOS_FILE = Manner(options=_BIOS_OPTIONS)

IPXE_FILE = Manner(
    options=(("blksize", "1432"), ("tsize", "0")),
    request_waits=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    ack_waits=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
)

_PI_SECONDS = 30.0
_PI_REQUEST_WAITS = (2.0,) * 15
EARLY_TERMINATE = Error(ErrorCode.NOT_DEFINED, "Early terminate")


def pi_manner(*options: tuple[str, str], probe: bool = False, rolls_over: bool = True) -> Manner:
    """Return how a Pi asks: the request every 2 s, 30 s for a file; it leaves repeating DATA to the server.

    Blocks roll over from the EEPROM of 2025-09-23 on, and on a Pi 3 never (raspberrypi/rpi-eeprom#720).
    """
    return Manner(
        options=options,
        request_waits=_PI_REQUEST_WAITS,
        ack_waits=(_PI_SECONDS,),
        file_seconds=_PI_SECONDS,
        abort=EARLY_TERMINATE if probe else None,
        rolls_over=rolls_over,
    )
