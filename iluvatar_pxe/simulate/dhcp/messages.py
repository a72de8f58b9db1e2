"""The DHCP messages of each firmware, octet for octet as captured, beside the user class that marks them.

Captures: OVMF and AAVMF 2022.11, iPXE 2019 (x86) and 2025 (arm64). Where there is none, the source is named.
"""

from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import ANY, BOOTREQUEST, BROADCAST_FLAG, DhcpMessage, MessageType, Option
from iluvatar_pxe.wire.pxe import BOOT_ITEM, SIMULATED, Platform

Options = tuple[tuple[int, bytes], ...]

_UEFI_WANTS = bytes.fromhex("0102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687")
_UEFI_HTTP_WANTS = bytes.fromhex("0102030405060c0d0f111216171c28292a2b3233363a3b3c004361")
"""The octet before the last two is whatever lay in EDK2's memory; 00 and eb were seen."""
_BIOS_WANTS = bytes.fromhex("01020305060b0c0d0f1011122b363c438081828384858687")
_IPXE_WANTS = bytes.fromhex("010306070c0f111a2b3c4243778081828384858687afcb")
_IPXE_2025_WANTS = bytes.fromhex("010306070c0f111a2a2b3c4243778081828384858687afcb")
_PI_WANTS = bytes.fromhex("01032b3c42438081828384858687")
_PI3_ROM_WANTS = bytes.fromhex("2b3c43808182838485868742")
_PI3_WANTS = _PI3_ROM_WANTS + b"\x01\x03"

_ETHERNET_PAYLOAD = bytes.fromhex("05c0")
_UNLIMITED = bytes.fromhex("ff00")
_UNDI_21, _UNDI_3, _UNDI_310 = (bytes.fromhex(text) for text in ("010201", "010300", "01030a"))
_PI_CLASS = b"PXEClient:Arch:00000:UNDI:002001"
_IPXE_USER_CLASS = b"".join(bytes((len(name),)) + name for name in (b"iPXE", SIMULATED))
_IPXE_FEATURES = {
    Platform.BIOS: "b105011af41000eb03010000170101220101130101110101270101190101290101100102210101150101180101120101",
    Platform.UEFI: "b105011af41000eb03010000170101240101130101110101270101290101150101120101",
}
_IPXE_2025_FEATURES = (
    "b105011af41000eb030100002601011701012701012401011301011401011101012901011b0101150101120101"
)
_PI_BOARDS = {Kind.PI4: 0xC03111, Kind.PI5: 0xC04170}
_PI_FOURCCS = {Kind.PI4: b"4iPR", Kind.PI5: b"5iPR"}
PI3_XID = 0x26F30339
"""Every Pi 3 sends this one (raspberrypi/firmware#1067)."""


class Lease(Struct, frozen=True):
    """An address, and the server that gives it."""

    address: IPv4Address
    server: IPv4Address


def firmware_discover(machine: Machine, xid: int) -> DhcpMessage:
    """Return the first message of a PC's firmware."""
    if machine.kind.client.platform is Platform.BIOS:
        return _message(machine, xid, MessageType.DISCOVER, _bios(machine), flags=BROADCAST_FLAG, secs=4)
    options = ((Option.MAX_MESSAGE, _ETHERNET_PAYLOAD), *_uefi(machine))
    return _message(machine, xid, MessageType.DISCOVER, options, flags=BROADCAST_FLAG)


def firmware_request(machine: Machine, xid: int, lease: Lease) -> DhcpMessage:
    """Return the message by which a PC's firmware takes the router's offer."""
    if machine.kind.client.platform is Platform.BIOS:
        options = (*_taking(lease, server_first=False), *_bios(machine))
        return _message(machine, xid, MessageType.REQUEST, options, flags=BROADCAST_FLAG, secs=4)
    size = _ETHERNET_PAYLOAD if machine.kind.client.http else _UNLIMITED
    options = (*_taking(lease), (Option.MAX_MESSAGE, size), *_uefi(machine))
    return _message(machine, xid, MessageType.REQUEST, options, flags=BROADCAST_FLAG)


def boot_server_request(
    machine: Machine, xid: int, address: IPv4Address, item: bytes | None = None
) -> DhcpMessage:
    """Return what a PC's firmware asks port 4011; ``item`` is the entry of a boot menu that a BIOS ROM has chosen."""
    if machine.kind.client.platform is Platform.BIOS:
        chosen = bytes((BOOT_ITEM, len(item))) + item + b"\xff" if item else None
        options = (*_bios(machine), *(((Option.VENDOR_SPECIFIC, chosen),) if chosen else ()))
        return _message(machine, xid, MessageType.REQUEST, options, ciaddr=address, secs=4)
    options = (*_uefi(machine), (Option.MAX_MESSAGE, _ETHERNET_PAYLOAD))
    return _message(machine, xid, MessageType.REQUEST, _sorted(options), ciaddr=address)


def ipxe_discover(machine: Machine, xid: int, secs: int, *, chained: bool) -> DhcpMessage:
    """Return the first message of iPXE; ``secs`` tells what it has heard, see ``offers.ipxe_secs``."""
    options = _ipxe(machine, chained=chained)
    flags = BROADCAST_FLAG if _asks_for_broadcast(machine, chained=chained) else 0
    return _message(machine, xid, MessageType.DISCOVER, options, flags=flags, secs=secs)


def ipxe_request(machine: Machine, xid: int, secs: int, lease: Lease, *, chained: bool) -> DhcpMessage:
    """Return the message by which iPXE takes the router's offer."""
    message = ipxe_discover(machine, xid, secs, chained=chained)
    return replace(_as_request(message), options=(*_as_request(message).options, *_taking(lease)))


def ipxe_boot_server_request(
    machine: Machine, xid: int, secs: int, address: IPv4Address, *, chained: bool
) -> DhcpMessage:
    """Return what iPXE asks port 4011 when the proxy's offer names no boot file."""
    message = ipxe_discover(machine, xid, secs, chained=chained)
    return replace(_as_request(message), ciaddr=address)


def pi_discover(machine: Machine, xid: int, *, rom: bool = False) -> DhcpMessage:
    """Return the DISCOVER of a Pi; ``rom`` is that of a Pi 3 before it has its bootcode.bin."""
    return _message(machine, xid, MessageType.DISCOVER, _pi(machine, rom=rom))


def pi_request(machine: Machine, xid: int, lease: Lease) -> DhcpMessage:
    """Return the REQUEST of an EEPROM; inferred from its DISCOVER (raspberrypi/cmprovision#5 has option 60 in it)."""
    return _message(machine, xid, MessageType.REQUEST, (*_taking(lease), *_pi(machine, rom=False)))


def _message(
    machine: Machine,
    xid: int,
    kind: MessageType,
    options: Options,
    *,
    flags: int = 0,
    secs: int = 0,
    ciaddr: IPv4Address = ANY,
) -> DhcpMessage:
    head = (Option.MESSAGE_TYPE, bytes((kind,)))
    return DhcpMessage(
        op=BOOTREQUEST,
        xid=xid,
        chaddr=machine.mac,
        flags=flags,
        secs=secs,
        ciaddr=ciaddr,
        options=tuple((int(code), value) for code, value in (head, *options)),
    )


def _as_request(message: DhcpMessage) -> DhcpMessage:
    head = (int(Option.MESSAGE_TYPE), bytes((MessageType.REQUEST,)))
    return replace(message, options=(head, *message.options[1:]))


def _taking(lease: Lease, *, server_first: bool = True) -> Options:
    server = (int(Option.SERVER_ID), lease.server.packed)
    address = (int(Option.REQUESTED_ADDRESS), lease.address.packed)
    return (server, address) if server_first else (address, server)


def _machine_id(machine: Machine) -> bytes:
    return b"\0" + machine.uuid.bytes_le


def _uefi(machine: Machine) -> Options:
    http = machine.kind.client.http
    name = b"HTTPClient" if http else b"PXEClient"
    return (
        (Option.PARAMETER_LIST, _UEFI_HTTP_WANTS if http else _UEFI_WANTS),
        (Option.CLIENT_MACHINE_ID, _machine_id(machine)),
        (Option.CLIENT_NDI, _UNDI_3),
        (Option.CLIENT_ARCH, machine.kind.arch.to_bytes(2)),
        (Option.VENDOR_CLASS, name + b":Arch:%05d:UNDI:003000" % machine.kind.arch),
        (Option.USER_CLASS, SIMULATED),
    )


def _sorted(options: Options) -> Options:
    """Order options by code, as EDK2's boot server request has them; the mark comes last."""
    return tuple(sorted(options, key=lambda pair: (pair[0] == Option.USER_CLASS, pair[0])))


def _bios(machine: Machine) -> Options:
    """Return the options of a boot ROM by the PXE 2.1 specification, section 2.2.1."""
    return (
        (Option.PARAMETER_LIST, _BIOS_WANTS),
        (Option.MAX_MESSAGE, (1260).to_bytes(2)),
        (Option.CLIENT_MACHINE_ID, _machine_id(machine)),
        (Option.CLIENT_ARCH, bytes(2)),
        (Option.CLIENT_NDI, _UNDI_21),
        (Option.VENDOR_CLASS, b"PXEClient:Arch:00000:UNDI:002001"),
        (Option.USER_CLASS, SIMULATED),
    )


def _ipxe(machine: Machine, *, chained: bool) -> Options:
    arch = {16: 7, 19: 11}.get(machine.kind.arch, machine.kind.arch)  # after HTTP Boot it says 7 or 11 again
    platform, recent = machine.kind.client.platform, arch == 11
    features = _IPXE_2025_FEATURES if recent else _IPXE_FEATURES[platform]
    return (
        (Option.MAX_MESSAGE, _ETHERNET_PAYLOAD),
        (Option.CLIENT_ARCH, arch.to_bytes(2)),
        (Option.CLIENT_NDI, _UNDI_21 if platform is Platform.BIOS else _UNDI_310),
        (Option.VENDOR_CLASS, _ipxe_class(machine, arch, chained=chained)),
        (Option.USER_CLASS, _IPXE_USER_CLASS),
        (Option.PARAMETER_LIST, _IPXE_2025_WANTS if recent else _IPXE_WANTS),
        (Option.IPXE, bytes.fromhex(features)),
        (Option.CLIENT_ID, b"\x01" + machine.mac),
        (Option.CLIENT_MACHINE_ID, _machine_id(machine)),
    )


def _ipxe_class(machine: Machine, arch: int, *, chained: bool) -> bytes:
    """Chained by PXE, ipxe-arm64.efi (2025) and undionly.kpxe (2019) say no more than ``PXEClient``."""
    if chained and machine.kind in {Kind.BIOS, Kind.UEFI_ARM64}:
        return b"PXEClient"
    undi = b"002001" if arch == 0 else b"003010"
    return b"PXEClient:Arch:%05d:UNDI:%s" % (arch, undi)


def _asks_for_broadcast(machine: Machine, *, chained: bool) -> bool:
    return chained and machine.kind in {Kind.BIOS, Kind.UEFI_ARM64, Kind.UEFI_ARM64_HTTP}


def _pi(machine: Machine, *, rom: bool) -> Options:
    wants = _PI_WANTS
    if machine.kind is Kind.PI3:
        wants = _PI3_ROM_WANTS if rom else _PI3_WANTS
    return (
        (Option.PARAMETER_LIST, wants),
        (Option.CLIENT_ARCH, bytes(2)),
        (Option.CLIENT_NDI, _UNDI_21),
        (Option.CLIENT_MACHINE_ID, b"\0" + _pi_id(machine, rom=rom)),
        (Option.VENDOR_CLASS, _PI_CLASS),
        (Option.USER_CLASS, SIMULATED),
    )


def _pi_id(machine: Machine, *, rom: bool) -> bytes:
    serial = machine.pi_serial.to_bytes(4, "little")
    if machine.kind is Kind.PI3:
        return b"\x44" * 16 if rom else serial * 4
    board = _PI_BOARDS[machine.kind].to_bytes(4, "little")
    return _PI_FOURCCS[machine.kind] + board + machine.mac[2:6] + serial
