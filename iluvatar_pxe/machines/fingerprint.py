"""From a message to a Sighting."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from uuid import UUID

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.quirks import boot_vendor_class, quirks_of
from iluvatar_pxe.machines.raspberry_pi import MAKER, RaspberryPi, raspberry_pi
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.printable import plain_text
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import ANY, DhcpMessage, Option
from iluvatar_pxe.wire.mac import parse_mac
from iluvatar_pxe.wire.pxe import (
    HTTP_CLIENT,
    SIMULATED,
    ClientArch,
    CpuArch,
    Platform,
    client_arch,
    client_arch_codes,
    lacks_http,
    machine_uuid,
    user_classes,
)

_FEW_DIGITS = re.compile(r"[0-9]{1,6}")
_FIRMWARE = {
    (Platform.BIOS, False): Firmware.BIOS_PXE,
    (Platform.UEFI, False): Firmware.UEFI_PXE,
    (Platform.UEFI, True): Firmware.UEFI_HTTP,
    (Platform.UBOOT, False): Firmware.UEFI_PXE,  # its EFI loader runs the same programs
    (Platform.UBOOT, True): Firmware.UEFI_HTTP,
}
_IPXE_PLATFORMS = {"pcbios": Platform.BIOS, "efi": Platform.UEFI}


def from_dhcp(message: DhcpMessage) -> Sighting:
    """Tell who sent a DHCP message; ``chaddr`` must have six bytes."""
    arch = client_arch(message)
    firmware = _firmware(message, arch)
    address = message.ciaddr if message.ciaddr != ANY else message.address(Option.REQUESTED_ADDRESS)
    sighting = Sighting(
        mac=message.mac,
        firmware=firmware,
        without_http=firmware is Firmware.IPXE and lacks_http(message),
        arch=arch.cpu if arch else None,
        platform=arch.platform if arch else None,
        client=_client_words(message),
        uuid=machine_uuid(message.option(Option.CLIENT_MACHINE_ID)),
        address=address,
        routed=message.giaddr != ANY,
        simulated=SIMULATED in user_classes(message),
    )
    return _as_pi(sighting, message) if firmware is Firmware.RASPBERRY_PI else sighting


def from_ipxe(
    query: Mapping[str, str], address: IPv4Address, neighbour: str | None = None, *, routed: bool = False
) -> Sighting:
    """Tell who asks for ``/ipxe?mac=…``; raises WireError when it names no usable MAC.

    ``neighbour`` is the MAC that the kernel has for ``address``; ``routed``: the address is in no network served here.

    ``arch`` is iPXE's ``${buildarch}``, corrected to x86_64 where the processor has long mode.
    """
    try:
        mac = parse_mac(query.get("mac", ""))
    except ValueError as error:
        raise WireError(f"mac: {error}") from error
    return Sighting(
        mac=mac,
        firmware=Firmware.IPXE,
        macs=_all_macs(mac, query),
        arch=_cpu(query.get("arch", "")),
        platform=_IPXE_PLATFORMS.get(query.get("platform", "")),
        client=f"iPXE {plain_text(query.get('version', ''))}".strip(),
        uuid=_uuid(query.get("uuid", "")),
        serial=plain_text(query.get("serial", "")),
        manufacturer=plain_text(query.get("manufacturer", "")),
        product=plain_text(query.get("product", "")),
        board=plain_text(query.get("board", "")),
        address=address,
        routed=routed,
        waited=_seconds(query.get("waited", "")),
        choice=query.get("choice", ""),
        neighbour=neighbour,
    )


def _firmware(message: DhcpMessage, arch: ClientArch | None) -> Firmware:
    if b"iPXE" in user_classes(message):
        return Firmware.IPXE
    vendor_class = boot_vendor_class(message)
    if vendor_class is None:
        return Firmware.NOT_BOOTING
    if real := next((quirk.firmware for quirk in quirks_of(message) if quirk.firmware), None):
        return real
    if arch is None:
        return Firmware.UNSUPPORTED
    http = arch.http or vendor_class == HTTP_CLIENT
    return _FIRMWARE.get((arch.platform, http), Firmware.UNSUPPORTED)


def _as_pi(sighting: Sighting, message: DhcpMessage) -> Sighting:
    """Put right what a Pi says of itself, and add what its option 97 tells, which is no UUID."""
    pi = raspberry_pi(message) or RaspberryPi()
    return replace(
        sighting,
        arch=CpuArch.ARM64,
        platform=None,
        uuid=None,
        manufacturer=MAKER,
        product=pi.model,
        board="" if pi.revision is None else f"{pi.revision:06x}",
        serial=pi.serial,
    )


def _client_words(message: DhcpMessage) -> str:
    vendor_class = plain_text((message.option(Option.VENDOR_CLASS) or b"").decode("latin-1"))
    codes = ",".join(str(code) for code in client_arch_codes(message)[:8])
    return f"{vendor_class} (architecture {codes or 'not told'})".strip()


def _all_macs(mac: str, query: Mapping[str, str]) -> tuple[str, ...]:
    """List the asking NIC and those of ``net0`` to ``net7``, without repetition or nonsense."""
    found = {mac: None}
    for number in range(8):
        try:
            found[parse_mac(query.get(f"net{number}", ""))] = None
        except ValueError:
            continue
    return tuple(found)


def _cpu(text: str) -> CpuArch | None:
    return CpuArch(text) if text in set(CpuArch) else None


def _seconds(text: str) -> int:
    return int(text) if _FEW_DIGITS.fullmatch(text) else 0


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
