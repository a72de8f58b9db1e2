"""What the simulated firmware sends, beside what the real one was seen to send."""

from ipaddress import IPv4Address

import pytest
from support.captures import payload
from support.proxy import captured

from iluvatar_pxe.simulate.dhcp import messages
from iluvatar_pxe.simulate.dhcp.messages import Lease
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.simulate.timings import UEFI_FILE, UEFI_SIZE
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import DhcpMessage, MessageType, Option, encode
from iluvatar_pxe.wire.pxe import SIMULATED, boot_item, user_classes
from iluvatar_pxe.wire.tftp.packet import ReadRequest
from iluvatar_pxe.wire.tftp.packet import encode as encode_tftp

UEFI = [
    (Kind.UEFI_X64, "uefi-x64-pxe"),
    (Kind.UEFI_ARM64, "uefi-arm64-pxe"),
    (Kind.UEFI_X64_HTTP, "uefi-x64-http"),
    (Kind.UEFI_ARM64_HTTP, "uefi-arm64-http"),
]
IPXE = [
    (Kind.UEFI_X64, "uefi-x64-pxe.5", "uefi-x64-pxe.7"),
    (Kind.UEFI_ARM64, "uefi-arm64-pxe.5", "uefi-arm64-pxe.7"),
    (Kind.UEFI_X64_HTTP, "uefi-x64-http.3", "uefi-x64-http.5"),
    (Kind.UEFI_ARM64_HTTP, "uefi-arm64-http.3", "uefi-arm64-http.5"),
    (Kind.IPXE, "bios-virtio.0", "bios-virtio.2"),
]


def machine_of(kind: Kind, real: DhcpMessage) -> Machine:
    return Machine(kind, real.chaddr)


def without_identity(message: DhcpMessage) -> DhcpMessage:
    """Take out the UUID and what marks a simulated client; iPXE's own class stays."""
    message = _with_known_list(message)
    own = {
        Option.USER_CLASS: b"iPXE" if b"iPXE" in user_classes(message) else b"",
        Option.CLIENT_MACHINE_ID: b"id",
    }
    options = tuple((code, own.get(Option(code), value)) for code, value in message.options)
    return replace(message, options=tuple(pair for pair in options if pair != (Option.USER_CLASS, b"")))


def _with_known_list(message: DhcpMessage) -> DhcpMessage:
    """Replace the octet before the last two of EDK2's HTTP list, which is whatever lay in memory: 00 and eb were seen."""
    options = tuple(
        (
            code,
            value[:-3] + b"\0" + value[-2:]
            if code == Option.PARAMETER_LIST and value.endswith(b"\x43\x61")
            else value,
        )
        for code, value in message.options
    )
    return replace(message, options=options)


def assert_same(sent: DhcpMessage, real: DhcpMessage) -> None:
    assert SIMULATED in user_classes(sent)
    assert encode(without_identity(sent)) == encode(without_identity(real))


def lease_in(request: DhcpMessage) -> Lease:
    address, server = request.address(Option.REQUESTED_ADDRESS), request.address(Option.SERVER_ID)
    assert address
    assert server
    return Lease(address, server)


@pytest.mark.parametrize(("kind", "case"), UEFI)
def test_uefi_asks_as_captured(kind: Kind, case: str) -> None:
    real = captured(f"{case}.0-firmware-{'http' if 'http' in case else 'pxe'}-discover")
    assert_same(messages.firmware_discover(machine_of(kind, real), real.xid), real)


@pytest.mark.parametrize(("kind", "case"), UEFI)
def test_uefi_takes_a_lease_as_captured(kind: Kind, case: str) -> None:
    real = captured(f"{case}.2-firmware-{'http' if 'http' in case else 'pxe'}-request")
    assert_same(messages.firmware_request(machine_of(kind, real), real.xid, lease_in(real)), real)


@pytest.mark.parametrize(("kind", "case"), UEFI[:2])
def test_uefi_asks_the_boot_server_as_captured(kind: Kind, case: str) -> None:
    real = captured(f"{case}.3-firmware-pxe-request-4011")
    assert_same(messages.boot_server_request(machine_of(kind, real), real.xid, real.ciaddr), real)


@pytest.mark.parametrize(("kind", "discover", "request_name"), IPXE)
def test_ipxe_asks_as_captured(kind: Kind, discover: str, request_name: str) -> None:
    chained = kind is not Kind.IPXE
    real = captured(f"{discover}-ipxe-discover")
    sent = messages.ipxe_discover(machine_of(kind, real), real.xid, real.secs, chained=chained)
    assert_same(sent, real)
    real = captured(f"{request_name}-ipxe-request")
    lease = lease_in(real)
    sent = messages.ipxe_request(machine_of(kind, real), real.xid, real.secs, lease, chained=chained)
    assert_same(sent, real)


@pytest.mark.parametrize(
    ("case", "name"), [("uefi-x64-pxe", "ipxe-x64.efi"), ("uefi-arm64-pxe", "ipxe-arm64.efi")]
)
def test_uefi_fetches_as_captured(case: str, name: str) -> None:
    for number, manner in ((8, UEFI_SIZE), (9, UEFI_FILE)):
        request = ReadRequest(name, "octet", manner.options)
        assert encode_tftp(request) == payload(f"{case}.{number}-tftp-rrq-{name.replace('.', '-')}")


@pytest.mark.parametrize(
    ("kind", "rom", "length"),
    [(Kind.PI3, True, 320), (Kind.PI3, False, 322), (Kind.PI4, False, 322), (Kind.PI5, False, 322)],
)
def test_a_pi_sends_its_options_in_order_and_nothing_behind_them(kind: Kind, rom: bool, length: int) -> None:  # noqa: FBT001
    sent = messages.pi_discover(Machine(kind, bytes.fromhex("b827eb6c4c16")), messages.PI3_XID, rom=rom)
    plain = replace(sent, options=sent.options[:-1])
    assert [code for code, _ in plain.options] == [53, 55, 93, 94, 97, 60]
    assert sent.options[-1] == (Option.USER_CLASS, SIMULATED)
    assert (sent.flags, sent.secs, sent.ciaddr) == (0, 0, IPv4Address(0))
    assert len(encode(plain)) == length


def test_a_pi_tells_board_mac_and_serial_in_option_97() -> None:
    """rpi-eeprom: fourcc, board revision, MAC from its third octet on, serial; a Pi 3 its serial four times."""
    mac = bytes.fromhex("dca632aabbcc")
    pi4, pi5 = (Machine(kind, mac) for kind in (Kind.PI4, Kind.PI5))
    for machine, start in ((pi4, "00346950521131c000"), (pi5, "00356950527041c000")):
        found = messages.pi_discover(machine, 1).option(Option.CLIENT_MACHINE_ID) or b""
        assert found == bytes.fromhex(start) + mac[2:] + machine.pi_serial.to_bytes(4, "little")
    pi3 = Machine(Kind.PI3, bytes.fromhex("b827eb6c4c16"))
    rom, bootcode = (
        messages.pi_discover(pi3, 1, rom=rom).option(Option.CLIENT_MACHINE_ID) for rom in (True, False)
    )
    assert rom == b"\0" + b"\x44" * 16
    assert bootcode is not None
    assert bootcode[1:4] == b"\x16\x4c\x6c"


def test_the_same_mac_is_the_same_machine() -> None:
    one, again = (Machine(Kind.PI4, b"\x02" * 6) for _ in range(2))
    assert (one.uuid, one.serial, one.pi_serial) == (again.uuid, again.serial, again.pi_serial)
    assert one.uuid != Machine(Kind.PI4, b"\x03" * 6).uuid


def test_a_bios_rom_takes_a_lease_and_asks_the_boot_server() -> None:
    machine = Machine(Kind.BIOS, b"\x02" * 6)
    lease = Lease(IPv4Address("10.0.0.5"), IPv4Address("10.0.0.1"))
    request = messages.firmware_request(machine, 7, lease)
    assert lease_in(request) == lease
    asked = messages.boot_server_request(machine, 8, lease.address)
    assert (asked.message_type, asked.ciaddr) == (MessageType.REQUEST, lease.address)
    assert SIMULATED in user_classes(asked)


def test_a_bios_rom_names_the_entry_of_the_menu_that_it_chose() -> None:
    machine = Machine(Kind.BIOS, b"\x02" * 6)
    asked = messages.boot_server_request(machine, 8, IPv4Address("10.0.0.5"), bytes.fromhex("80000000"))
    assert boot_item(asked) == bytes.fromhex("80000000")
