"""What PXE adds to DHCP: client architectures, vendor and user classes, machine ids (RFC 4578, RFC 3004)."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.wire.dhcp import DhcpMessage, Option, tagged_values

PXE_CLIENT = b"PXEClient"
HTTP_CLIENT = b"HTTPClient"

SIMULATED = b"iluvatar-simulate"
"""User class (option 77) by which ``iluvatar-pxe simulate`` marks its clients; its iPXE says it beside ``iPXE``."""

DISCOVERY_CONTROL_BOOT_FILE = b"\x06\x01\x08\xff"
"""Option 43 for BIOS ROMs: sub-option 6 (discovery control) with bit 3: use the boot file of this offer.

Without it a ROM asks port 4011 for a boot menu and ends with PXE-E55 (siderolabs/booter#4).
"""
IPXE_HTTP = 19
"""Feature in iPXE's option 175: it was built with HTTP (ipxe.org/howto/dhcpd, ``ipxe.http``)."""
BOOT_ITEM = 71
"""Sub-option of 43 in a boot server request: type and layer (PXE 2.1 section 2.2.3)."""


class CpuArch(StrEnum):
    """Instruction sets, by the names iPXE's ``${buildarch}`` uses."""

    I386 = "i386"
    X86_64 = "x86_64"
    ARM32 = "arm32"
    ARM64 = "arm64"
    RISCV32 = "riscv32"
    RISCV64 = "riscv64"
    LOONG64 = "loong64"


class Platform(StrEnum):
    """What a boot program runs on."""

    BIOS = "bios"
    UEFI = "uefi"
    UBOOT = "u-boot"


class ClientArch(Struct, frozen=True):
    """One row of IANA's "Processor Architecture Types" (option 93)."""

    cpu: CpuArch
    platform: Platform
    http: bool = False


_BIOS, _UEFI, _UBOOT = Platform.BIOS, Platform.UEFI, Platform.UBOOT
CLIENT_ARCHS: Mapping[int, ClientArch] = MappingProxyType(
    {
        0: ClientArch(CpuArch.X86_64, _BIOS),  # a BIOS does not tell; 32-bit processors are found out by iPXE
        6: ClientArch(CpuArch.I386, _UEFI),
        7: ClientArch(CpuArch.X86_64, _UEFI),
        9: ClientArch(
            CpuArch.X86_64, _UEFI
        ),  # EBC; an RFC 4578 erratum swapped 7 and 9, so firmware sends both
        10: ClientArch(CpuArch.ARM32, _UEFI),
        11: ClientArch(CpuArch.ARM64, _UEFI),
        15: ClientArch(CpuArch.I386, _UEFI, http=True),
        16: ClientArch(CpuArch.X86_64, _UEFI, http=True),
        18: ClientArch(CpuArch.ARM32, _UEFI, http=True),
        19: ClientArch(CpuArch.ARM64, _UEFI, http=True),
        20: ClientArch(CpuArch.X86_64, _BIOS, http=True),
        21: ClientArch(CpuArch.ARM32, _UBOOT),
        22: ClientArch(CpuArch.ARM64, _UBOOT),
        23: ClientArch(CpuArch.ARM32, _UBOOT, http=True),
        24: ClientArch(CpuArch.ARM64, _UBOOT, http=True),
        25: ClientArch(CpuArch.RISCV32, _UEFI),
        26: ClientArch(CpuArch.RISCV32, _UEFI, http=True),
        27: ClientArch(CpuArch.RISCV64, _UEFI),
        28: ClientArch(CpuArch.RISCV64, _UEFI, http=True),
        39: ClientArch(CpuArch.LOONG64, _UEFI),
        40: ClientArch(CpuArch.LOONG64, _UEFI, http=True),
    }
)

_VENDOR_CLASS_ARCH = re.compile(rb":Arch:(\d{1,5})")


def client_arch_codes(message: DhcpMessage) -> tuple[int, ...]:
    """Return the codes of option 93, a list of 16-bit numbers, else the one in option 60, else nothing.

    Option 93 comes first: iPXE chained by PXE sends a bare ``PXEClient`` as option 60.
    """
    value = message.option(Option.CLIENT_ARCH) or b""
    if len(value) >= 2:
        return tuple(int.from_bytes(value[i : i + 2]) for i in range(0, len(value) - 1, 2))
    found = _VENDOR_CLASS_ARCH.search(message.option(Option.VENDOR_CLASS) or b"")
    return (int(found[1]),) if found else ()


def client_arch(message: DhcpMessage) -> ClientArch | None:
    """Return the first architecture of the client's list that IANA's table knows, or None."""
    return next((CLIENT_ARCHS[code] for code in client_arch_codes(message) if code in CLIENT_ARCHS), None)


def user_classes(message: DhcpMessage) -> tuple[bytes, ...]:
    """Return option 77, both as RFC 3004 writes it (length-prefixed) and raw, as iPXE does."""
    value = message.option(Option.USER_CLASS) or b""
    return (value, *_length_prefixed(value)) if value else ()


def lacks_http(message: DhcpMessage) -> bool:
    """Say whether an iPXE lists its features (option 175), and HTTP is not among them.

    A long list comes in several pieces (RFC 3396).
    """
    pieces = [value for number, value in message.options if number == Option.IPXE]
    return bool(pieces) and all(code != IPXE_HTTP for code, _ in tagged_values(b"".join(pieces)))


def _length_prefixed(value: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(value):
        end = position + 1 + value[position]
        if end > len(value):
            return
        yield value[position + 1 : end]
        position = end


def machine_uuid(client_machine_id: bytes | None) -> UUID | None:
    """Return the UUID in option 97: type 0 and 16 octets, the first three fields little-endian.

    None for every other length or type; the option is echoed all the same.
    """
    if client_machine_id is None or len(client_machine_id) != 17 or client_machine_id[0] != 0:
        return None
    return UUID(bytes_le=client_machine_id[1:])


def boot_item(message: DhcpMessage) -> bytes | None:
    """Return sub-option 71 of option 43, the boot server type and layer that a client asks for, or None."""
    vendor = message.option(Option.VENDOR_SPECIFIC) or b""
    return next((value for code, value in tagged_values(vendor) if code == BOOT_ITEM), None)
