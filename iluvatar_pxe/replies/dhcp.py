"""Plan to proxyDHCP reply. Numbers in brackets are those of docs/proxydhcp.md."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from iluvatar_pxe.boot.plan import BootAnswer, BootLocal, Chainload
from iluvatar_pxe.machines.quirks import Quirk, boot_vendor_class
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.replies.links import ABSENT_FILE, Links
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import (
    ANY,
    BOOTREPLY,
    BOOTREQUEST,
    BROADCAST_FLAG,
    DhcpMessage,
    MessageType,
    Option,
    encode,
)
from iluvatar_pxe.wire.pxe import BOOT_ITEM, DISCOVERY_CONTROL_BOOT_FILE, HTTP_CLIENT, PXE_CLIENT, boot_item

ETHERNET, ETHERNET_ADDRESS = 1, 6
BROADCAST = IPv4Address("255.255.255.255")


def not_for_us(request: DhcpMessage, *, pxe_port: bool) -> str | None:
    """Say why a message is not ours to answer, or return None.

    On 67 only a DISCOVER is: a REQUEST there belongs to the server that gives the address [20]. On 4011 only
    a REQUEST is [16].
    """
    if request.op != BOOTREQUEST:
        return "is a reply"
    if request.htype != ETHERNET or len(request.chaddr) != ETHERNET_ADDRESS:
        return "has no Ethernet address"
    expected = MessageType.REQUEST if pxe_port else MessageType.DISCOVER
    if request.message_type is not expected:
        return f"is no {expected.name}"
    return None


def reply_to(
    request: DhcpMessage,
    sighting: Sighting,
    plan: BootAnswer,
    links: Links,
    kind: MessageType,
    quirks: Sequence[Quirk],
) -> DhcpMessage:
    """Build the OFFER (from 67) or ACK (from 4011) that carries a plan; it never gives an address.

    ``quirks`` are the rows that match the request.
    """
    is_pi = sighting.firmware is Firmware.RASPBERRY_PI  # asks for files by names of its own
    boot_file = b"" if is_pi else _boot_file(sighting, plan, links).encode()
    message = DhcpMessage(
        op=BOOTREPLY,
        xid=request.xid,
        secs=request.secs,
        flags=request.flags | BROADCAST_FLAG,
        ciaddr=request.ciaddr,
        yiaddr=request.ciaddr if boot_item(request) else ANY,  # [18]
        siaddr=links.address,  # [5]: iPXE and EDK2 disagree about the server when siaddr and 54 differ
        giaddr=request.giaddr,
        chaddr=request.chaddr,
        sname=b"" if is_pi else str(links.address).encode(),
        file=boot_file,  # [9]: U-Boot and iPXE read this, EDK2 option 67
        options=_options(request, sighting, links, kind, boot_file, quirks),
    )
    return _fit(message, request.max_message)


def destination(
    request: DhcpMessage, source: tuple[str, int], server_port: int, client_port: int
) -> tuple[str, int]:
    """Return address and port that a reply sent from 67 goes to [13].

    A relay gets it on the server's port; a client without an address by broadcast; one that has an address
    there.
    """
    if request.giaddr != ANY:
        return str(request.giaddr), server_port
    if IPv4Address(source[0]) == ANY:
        return str(BROADCAST), client_port
    return source


def _boot_file(sighting: Sighting, plan: BootAnswer, links: Links) -> str:
    if isinstance(plan, BootLocal) and plan.method == "404":
        return f"{links.base}/{ABSENT_FILE}" if sighting.fetches_by_url else ABSENT_FILE
    if isinstance(plan, Chainload):
        return links.asset(plan.program) if sighting.fetches_by_url else plan.program
    return links.first_script


def _options(
    request: DhcpMessage,
    sighting: Sighting,
    links: Links,
    kind: MessageType,
    boot_file: bytes,
    quirks: Sequence[Quirk],
) -> tuple[tuple[int, bytes], ...]:
    options: dict[int, bytes | None] = {
        Option.MESSAGE_TYPE: bytes((kind,)),
        Option.SERVER_ID: links.address.packed,  # [4]: EDK2 drops an offer without it
        Option.VENDOR_CLASS: _vendor_class(request, sighting),  # [6]
        Option.CLIENT_MACHINE_ID: request.option(
            Option.CLIENT_MACHINE_ID
        ),  # [11]: ROMs want it back as it was
        Option.VENDOR_SPECIFIC: _vendor_options(request, sighting, quirks),
        Option.SERVER_NAME: str(links.address).encode() if any(one.server_name for one in quirks) else None,
        Option.BOOT_FILE: boot_file + b"\0" if boot_file else None,  # [10]: EDK2 writes a NUL behind it
        Option.RELAY_AGENT: request.option(Option.RELAY_AGENT),  # [13]
    }
    return tuple((int(code), value) for code, value in options.items() if value is not None)


def _vendor_class(request: DhcpMessage, sighting: Sighting) -> bytes:
    if sighting.firmware is Firmware.UEFI_HTTP:
        return HTTP_CLIENT
    return boot_vendor_class(request) or PXE_CLIENT


def _vendor_options(request: DhcpMessage, sighting: Sighting, quirks: Sequence[Quirk]) -> bytes | None:
    """BIOS is told to take the boot file offered [7]; UEFI and iPXE get no such thing [8]."""
    for quirk in quirks:
        if quirk.vendor_options is not None:
            return quirk.vendor_options
    item = boot_item(request)
    echo = bytes((BOOT_ITEM, len(item))) + item if item else b""  # [18]
    if sighting.firmware is Firmware.BIOS_PXE:
        return echo + DISCOVERY_CONTROL_BOOT_FILE
    return echo + b"\xff" if echo else None


def _fit(message: DhcpMessage, limit: int) -> DhcpMessage:
    """Drop what the header repeats, then what is only echoed, until the client's limit [14] is kept."""
    for code in (Option.BOOT_FILE, Option.CLIENT_MACHINE_ID):
        if len(encode(message)) <= limit:
            break
        message = replace(message, options=tuple(pair for pair in message.options if pair[0] != code))
    return message
