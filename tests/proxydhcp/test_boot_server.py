"""docs/proxydhcp.md, "Port 4011", "Raspberry Pi" and "Local disk": each test names the point it shows."""

from ipaddress import IPv4Address

import pytest
from support.fleets import fleet_of
from support.proxy import MAC, ME, NOBODY, Proxy, boot_request, captured, discover

from iluvatar_pxe.servers.dhcp.proxy import Reply
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import MessageType, Option, encode

REQUEST_4011 = "uefi-x64-pxe.3-firmware-pxe-request-4011"


@pytest.mark.parametrize("port", [4011, 68])
def test_points_16_5_4_uefi_is_acknowledged_where_it_asked_from(port: int) -> None:
    result = Proxy().handle(encode(captured(REQUEST_4011)), pxe_port=True, source=("10.77.0.174", port))
    assert isinstance(result, Reply)
    assert result.to == ("10.77.0.174", port)


def test_point_16_the_ack_repeats_the_offer() -> None:
    request = captured(REQUEST_4011)
    ack = Proxy().reply(request, pxe_port=True)
    assert ack.message_type is MessageType.ACK
    assert (ack.xid, ack.ciaddr) == (request.xid, IPv4Address("10.77.0.174"))
    assert (ack.siaddr, ack.address(Option.SERVER_ID)) == (ME, ME)
    assert ack.file == b"ipxe/snponly.efi"
    assert ack.option(Option.CLIENT_MACHINE_ID) == request.option(Option.CLIENT_MACHINE_ID)
    assert ack.option(Option.VENDOR_SPECIFIC) is None


def test_point_17_old_bios_roms_are_served_on_4011() -> None:
    result = Proxy().handle(encode(boot_request(0)), pxe_port=True, source=("10.77.0.50", 68))
    assert isinstance(result, Reply)
    assert b"ipxe/undionly.kpxe" in result.data


def test_point_18_boot_item_is_echoed_and_ciaddr_becomes_yiaddr() -> None:
    request = boot_request(0, (Option.VENDOR_SPECIFIC, bytes.fromhex("470480000000ff")))
    ack = Proxy().reply(request, pxe_port=True)
    assert ack.option(Option.VENDOR_SPECIFIC) == bytes.fromhex("470480000000060108ff")
    assert ack.yiaddr == request.ciaddr
    uefi = Proxy().reply(
        boot_request(7, (Option.VENDOR_SPECIFIC, bytes.fromhex("470480000000ff"))), pxe_port=True
    )
    assert uefi.option(Option.VENDOR_SPECIFIC) == bytes.fromhex("470480000000ff")


def test_point_18_without_boot_item_yiaddr_stays_empty() -> None:
    assert Proxy().reply(boot_request(0), pxe_port=True).yiaddr == IPv4Address(0)


PI_CLASS = b"PXEClient:Arch:00000:UNDI:002001"


@pytest.mark.parametrize(
    ("mac", "machine_id"),
    [
        pytest.param("dc:a6:32:00:00:01", None, id="by MAC prefix"),
        pytest.param("2c:cf:67:00:00:01", None, id="Pi 5 prefix"),
        pytest.param(MAC, b"RPi4" + bytes(12), id="fourcc 2020"),
        pytest.param(MAC, b"4iPR" + bytes(12), id="fourcc 2022"),
        pytest.param(MAC, b"5iPR" + bytes(12), id="fourcc Pi 5"),
    ],
)
def test_point_25_a_pi_is_not_taken_for_a_bios(mac: str, machine_id: bytes | None) -> None:
    options = [(Option.VENDOR_CLASS, PI_CLASS)] + ([(97, b"\0" + machine_id)] if machine_id else [])
    for pxe_port, request in ((False, discover(0, *options, mac=mac)), (True, boot_request(0, *options))):
        if pxe_port and not machine_id:
            continue
        reply = Proxy().reply(request, pxe_port=pxe_port)
        assert (reply.file, reply.option(Option.BOOT_FILE)) == (b"", None)


@pytest.mark.parametrize(("arch", "boot_file"), [(11, b"ipxe/ipxe-arm64.efi")])
def test_point_26_uefi_on_a_pi_is_served_as_uefi(arch: int, boot_file: bytes) -> None:
    assert Proxy().reply(discover(arch, mac="dc:a6:32:00:00:01")).file == boot_file


@pytest.mark.parametrize(
    ("request_", "boot_file"),
    [
        (discover(0), b"boot-local-disk"),
        (discover(7), b"boot-local-disk"),
        (discover(16, kind=b"HTTPClient"), b"http://10.77.0.2:8080/boot-local-disk"),
        (discover(0, (Option.USER_CLASS, b"iPXE")), b"http://10.77.0.2:8080/boot-local-disk"),
    ],
)
def test_local_by_404_names_a_file_that_is_not_there(request_: object, boot_file: bytes) -> None:
    fleet = fleet_of(("disk", MAC, "chain: local\nlocal: 404\n"))
    assert Proxy(fleet).reply(request_).file == boot_file  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [(), ((Option.REQUESTED_ADDRESS, bytes((10, 77, 0, 50))),)], ids=["ciaddr", "50"]
)
@pytest.mark.parametrize(
    ("source", "told"), [(("10.77.0.50", 4011), False), (("10.77.0.50", 50000), False), (NOBODY, True)]
)
def test_an_address_is_learned_only_from_what_comes_from_nowhere(
    options: tuple[tuple[int, bytes], ...], source: tuple[str, int], *, told: bool
) -> None:
    ciaddr = IPv4Address(0) if options else IPv4Address("10.77.0.50")
    for message, pxe_port in ((discover(7, *options), False), (boot_request(7, *options), True)):
        result = Proxy().handle(encode(replace(message, ciaddr=ciaddr)), pxe_port=pxe_port, source=source)
        assert isinstance(result, Reply)
        assert (result.decision.case.sighting.address is not None) is told
