"""docs/proxydhcp.md, "The client" and "The offer": each test names the point it shows."""

from ipaddress import IPv4Address

import pytest
from support.fleets import PROGRAMS, fleet_of, talos
from support.proxy import MAC, ME, Proxy, boot_request, captured, discover

from iluvatar_pxe.servers.dhcp.proxy import Lease, Reply, Silence
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BROADCAST_FLAG, MessageType, Option, decode, encode

FIRMWARE = [
    pytest.param("uefi-x64-pxe.0-firmware-pxe-discover", "ipxe/snponly.efi", id="uefi-x64"),
    pytest.param("uefi-arm64-pxe.0-firmware-pxe-discover", "ipxe/ipxe-arm64.efi", id="uefi-arm64"),
    pytest.param(
        "uefi-x64-http.0-firmware-http-discover",
        "http://10.77.0.2:8080/assets/ipxe/snponly.efi",
        id="uefi-x64-http",
    ),
    pytest.param(
        "uefi-arm64-http.0-firmware-http-discover",
        "http://10.77.0.2:8080/assets/ipxe/ipxe-arm64.efi",
        id="uefi-arm64-http",
    ),
    pytest.param("bios-virtio.0-ipxe-discover", "http://10.77.0.2:8080/boot.ipxe", id="ipxe-rom"),
    pytest.param("uefi-x64-pxe.5-ipxe-discover", "http://10.77.0.2:8080/boot.ipxe", id="ipxe-x64"),
    pytest.param("uefi-arm64-pxe.5-ipxe-discover", "http://10.77.0.2:8080/boot.ipxe", id="ipxe-arm64"),
]


@pytest.mark.parametrize(("capture", "boot_file"), FIRMWARE)
def test_real_firmware_is_offered_its_program(capture: str, boot_file: str) -> None:
    request = captured(capture)
    offer = Proxy().reply(request)
    assert offer.message_type is MessageType.OFFER
    assert (offer.xid, offer.chaddr) == (request.xid, request.chaddr)
    assert offer.yiaddr == IPv4Address(0)
    assert offer.file.decode() == boot_file


@pytest.mark.parametrize("arch", [7, 9])
def test_point_1_both_7_and_9_are_x64(arch: int) -> None:
    assert Proxy().reply(discover(arch)).file == b"ipxe/snponly.efi"


def test_point_2_architecture_is_a_list_and_may_be_missing() -> None:
    listed = discover(0, (Option.CLIENT_ARCH, b"\xff\xff\x00\x07"))
    assert Proxy().reply(listed).file == b"ipxe/snponly.efi"
    only_class = discover(None, (Option.VENDOR_CLASS, b"PXEClient:Arch:00011:UNDI:003000"))
    assert Proxy().reply(only_class).file == b"ipxe/ipxe-arm64.efi"


def test_point_3_no_architecture_gets_the_program_of_another() -> None:
    for arch in (6, 10, 1, 2):
        assert Proxy().silence(discover(arch)).sighting is not None, arch
    ia32 = Proxy(ready=PROGRAMS | {"ipxe/ipxe-i386.efi"})
    assert ia32.reply(discover(6)).file == b"ipxe/ipxe-i386.efi"
    assert "i386.efi" in Proxy().silence(discover(6)).why


@pytest.mark.parametrize(("capture", "_boot_file"), FIRMWARE)
def test_points_4_5_server_identifier_and_siaddr_are_this_address(capture: str, _boot_file: str) -> None:
    offer = Proxy().reply(captured(capture))
    assert offer.address(Option.SERVER_ID) == ME == offer.siaddr
    assert offer.sname == b"10.77.0.2"


@pytest.mark.parametrize(
    ("request_", "answered"),
    [
        (discover(0), b"PXEClient"),
        (discover(7), b"PXEClient"),
        (discover(16, kind=b"HTTPClient"), b"HTTPClient"),
        (captured("uefi-arm64-pxe.5-ipxe-discover"), b"PXEClient"),
    ],
)
def test_point_6_vendor_class_is_the_short_form_of_the_clients(request_: object, answered: bytes) -> None:
    assert Proxy().reply(request_).option(Option.VENDOR_CLASS) == answered  # type: ignore[arg-type]


def test_point_7_bios_is_told_to_take_the_boot_file() -> None:
    offer = Proxy().reply(discover(0))
    assert offer.option(Option.VENDOR_SPECIFIC) == bytes.fromhex("060108ff")
    assert offer.file == b"ipxe/undionly.kpxe"


@pytest.mark.parametrize(("capture", "_boot_file"), FIRMWARE)
def test_point_8_uefi_and_ipxe_get_no_option_43(capture: str, _boot_file: str) -> None:
    assert Proxy().reply(captured(capture)).option(Option.VENDOR_SPECIFIC) is None


@pytest.mark.parametrize(("capture", "_boot_file"), FIRMWARE)
def test_points_9_10_boot_file_stands_in_both_places_and_ends_in_nul(capture: str, _boot_file: str) -> None:
    offer = Proxy().reply(captured(capture))
    assert offer.option(Option.BOOT_FILE) == offer.file + b"\0"


@pytest.mark.parametrize("value", [b"\0" + bytes(range(16)), b"", b"\0", b"\7" * 17, b"x" * 40])
def test_point_11_client_machine_id_is_echoed_whatever_it_is(value: bytes) -> None:
    assert Proxy().reply(discover(7, (97, value))).option(97) == value


def test_point_11_absent_machine_id_stays_absent() -> None:
    assert Proxy().reply(discover(7)).option(97) is None


def test_point_12_option_94_is_not_demanded() -> None:
    request = discover(7)
    assert request.option(94) is None
    assert Proxy().reply(request).file == b"ipxe/snponly.efi"


def test_point_13_client_without_address_is_answered_by_broadcast() -> None:
    result = Proxy().handle(encode(discover(7)))
    assert isinstance(result, Reply)
    assert result.to == ("255.255.255.255", 68)
    assert Proxy().reply(discover(7)).flags & BROADCAST_FLAG


def test_point_13_relayed_request_goes_back_to_the_relay() -> None:
    relay = IPv4Address("10.88.0.1")
    request = replace(discover(7, (Option.RELAY_AGENT, b"\x01\x04port")), giaddr=relay, hops=1)
    result = Proxy().handle(encode(request), source=("10.88.0.1", 67))
    assert isinstance(result, Reply)
    assert result.to == ("10.88.0.1", 67)
    offer = Proxy().reply(request)
    assert offer.giaddr == relay
    assert offer.options[-1] == (Option.RELAY_AGENT, b"\x01\x04port")


def test_point_13_a_relayed_network_that_may_not_fetch_its_files_is_offered_nothing() -> None:
    """A machine that was offered a boot all the same would end on a screen that does not know why."""
    relayed = replace(discover(7), giaddr=IPv4Address("192.0.2.1"), hops=1)
    silence = Proxy().silence(relayed, source=("192.0.2.1", 67))
    why = "its relay 192.0.2.1 is not in [http] allow; if its network may boot, add that network there"
    assert (silence.why, silence.sighting and silence.sighting.mac) == (why, MAC)
    ordinary = replace(relayed, options=((Option.MESSAGE_TYPE, bytes((MessageType.DISCOVER,))),))
    assert Proxy().silence(ordinary, source=("192.0.2.1", 67)).sighting is None, "a phone is no line of log"
    routed = Proxy().silence(boot_request(7), source=("192.0.2.50", 4011), pxe_port=True)
    assert routed.why.startswith("192.0.2.50 is not in [http] allow")


def test_point_14_replies_are_padded_and_keep_the_clients_limit() -> None:
    result = Proxy().handle(encode(discover(7)))
    assert isinstance(result, Reply)
    assert len(result.data) >= 300
    assert len(offered(limit=576)) <= 576
    assert len(offered(limit=68)) == len(offered(limit=576)), "every client has to take 576"


ECHOED = ((97, b"u" * 255), (Option.RELAY_AGENT, b"r" * 250))
UNCUT = 789
"""Bytes of the offer to a client that sends these."""
REPEATED = 19
"""Bytes of option 67, which repeats the field ``file``."""


def offered(limit: int) -> bytes:
    """Return the offer to a client that sends much to be echoed, and takes no more than ``limit`` bytes."""
    result = Proxy().handle(encode(discover(7, (Option.MAX_MESSAGE, limit.to_bytes(2)), *ECHOED)))
    assert isinstance(result, Reply)
    return result.data


@pytest.mark.parametrize(
    ("limit", "size", "dropped"),
    [
        pytest.param(UNCUT, UNCUT, set(), id="just fits"),
        pytest.param(UNCUT - 1, UNCUT - REPEATED, {67}, id="a byte too long"),
        pytest.param(UNCUT - REPEATED, UNCUT - REPEATED, {67}, id="just fits without 67"),
        pytest.param(UNCUT - REPEATED - 1, UNCUT - REPEATED - 257, {67, 97}, id="a byte too long without 67"),
    ],
)
def test_point_14_what_the_header_repeats_is_dropped_first_then_what_is_only_echoed(
    limit: int, size: int, dropped: set[int]
) -> None:
    whole, cut = decode(offered(limit=1472)), decode(offered(limit))
    assert len(offered(limit=1472)) == UNCUT
    assert len(offered(limit)) == size
    assert [pair for pair in whole.options if pair[0] not in dropped] == list(cut.options)
    assert (cut.file, cut.option(Option.RELAY_AGENT)) == (b"ipxe/snponly.efi", b"r" * 250)


def test_point_15_urls_fit_the_file_field() -> None:
    longest = Proxy().reply(captured("uefi-arm64-http.0-firmware-http-discover"))
    assert len(longest.file) <= 127


def test_point_20_requests_to_the_router_are_left_alone() -> None:
    for name in ("bios-virtio.2-ipxe-request", "uefi-x64-pxe.2-firmware-pxe-request"):
        result = Proxy().handle(encode(captured(name)))
        assert isinstance(result, Lease), name  # its address is noted, nothing is sent
        assert result.sighting.address in {IPv4Address("10.77.0.143"), IPv4Address("10.77.0.174")}


@pytest.mark.parametrize(
    "source", [("10.77.0.143", 68), ("0.0.0.0", 67), ("0.0.0.0", 1024), ("10.88.0.1", 67)]
)
def test_point_20_a_request_that_is_not_from_an_address_less_firmware_teaches_no_address(
    source: tuple[str, int],
) -> None:
    """Any program may send one from its own address, and name any machine and any address in it."""
    for name in ("bios-virtio.2-ipxe-request", "uefi-x64-pxe.2-firmware-pxe-request"):
        assert isinstance(Proxy().handle(encode(captured(name)), source=source), Silence), name


@pytest.mark.parametrize(
    "kind", [k for k in MessageType if k not in {MessageType.DISCOVER, MessageType.REQUEST}]
)
def test_point_20_nothing_but_a_discover_is_answered_on_67(kind: MessageType) -> None:
    assert "DISCOVER" in Proxy().silence(discover(7, (Option.MESSAGE_TYPE, bytes((kind,))))).why


@pytest.mark.parametrize("user_class", [b"iPXE", b"\x04iPXE"])
def test_point_21_ipxe_is_known_by_both_spellings_and_given_a_script(user_class: bytes) -> None:
    offer = Proxy().reply(discover(0, (Option.USER_CLASS, user_class)))
    assert offer.file == b"http://10.77.0.2:8080/boot.ipxe"


def test_points_22_5_1_ipxe_can_use_the_offer_without_asking_4011() -> None:
    offer = Proxy().reply(captured("bios-virtio.0-ipxe-discover"))
    assert (offer.option(Option.VENDOR_CLASS), offer.siaddr) == (b"PXEClient", ME)
    assert offer.file


def test_points_24_5_6_http_boot_gets_a_url_with_an_ip_literal_and_no_4011_round() -> None:
    offer = Proxy().reply(captured("uefi-x64-http.0-firmware-http-discover"))
    assert offer.file == b"http://10.77.0.2:8080/assets/ipxe/snponly.efi"
    assert offer.option(Option.VENDOR_CLASS) == b"HTTPClient"


def test_point_31_the_fleet_can_choose_another_program_for_one_machine() -> None:
    fleet = fleet_of(("odd", MAC, "chain: hold\nprogram: ipxe.pxe\n"), talos("other", "52:54:00:77:00:02"))
    assert Proxy(fleet).reply(discover(0)).file == b"ipxe/ipxe.pxe"
    assert Proxy(fleet).reply(discover(0, mac="52:54:00:77:00:02")).file == b"ipxe/undionly.kpxe"
    assert Proxy(fleet).reply(discover(7)).file == b"ipxe/snponly.efi"  # that program is none for UEFI


def test_point_32_other_vendor_classes_are_answered_in_kind() -> None:
    offer = Proxy().reply(discover(7, (Option.VENDOR_CLASS, b"HW-Client:Arch:00007:UNDI:003016")))
    assert offer.option(Option.VENDOR_CLASS) == b"HW-Client"


def test_point_33_apple_bsdp_is_ignored() -> None:
    inform = discover(None, (Option.MESSAGE_TYPE, b"\x08"), (Option.VENDOR_CLASS, b"AAPLBSDPC/i386/iMac4,1"))
    assert Proxy().silence(inform).sighting is None
    assert Proxy().silence(replace(inform, options=((53, b"\1"), inform.options[1]))).sighting is None


def test_clients_that_do_not_ask_for_a_boot_get_no_answer_and_no_log_line() -> None:
    for vendor_class in (b"MSFT 5.0", b"udhcp 1.36.1", b"android-dhcp-14", b"PXE", b""):
        silence = Proxy().silence(discover(None, (Option.VENDOR_CLASS, vendor_class)))
        assert silence.sighting is None, vendor_class
    assert Proxy().silence(discover(None)).sighting is None


def test_only_ethernet_clients_are_answered() -> None:
    request = discover(7)
    assert "Ethernet" in Proxy().silence(replace(request, htype=32)).why
    assert "Ethernet" in Proxy().silence(replace(request, chaddr=bytes(8))).why
    assert "reply" in Proxy().silence(replace(request, op=2)).why
    assert "REQUEST" in Proxy().silence(discover(7), pxe_port=True).why
    assert Proxy().reply(boot_request(7), pxe_port=True).message_type is MessageType.ACK
