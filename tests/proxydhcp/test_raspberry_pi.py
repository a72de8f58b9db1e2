"""Raspberry Pis' DHCP: each test names the report of the trouble that it keeps away (see docs/raspberry-pi.md)."""

from ipaddress import IPv4Address

import pytest
from support.fleets import fleet_of
from support.pi import LAYER, MACS, READY, RULE, eeprom_id, pi, pi_discover
from support.proxy import ME, Proxy

from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.servers.dhcp.proxy import Reply
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BROADCAST_FLAG, DhcpMessage, MessageType, Option, encode

PI3, PI4, PI5 = Generation
MENU = bytes.fromhex("0601030a04005058450917000014") + b"Raspberry Pi Boot   \xff"


def handled(request: DhcpMessage, source: tuple[str, int] = ("0.0.0.0", 68)) -> Reply:
    result = Proxy(fleet_of(fleet=RULE, ainur=LAYER), READY).handle(encode(request), source=source)
    assert isinstance(result, Reply)
    return result


@pytest.mark.parametrize("generation", Generation)
def test_the_known_good_offer_is_sent_octet_by_octet(generation: Generation) -> None:
    request = pi(generation)
    options = (
        b"\x35\x01\x02"
        b"\x36\x04\x0a\x4d\x00\x02"
        b"\x3c\x09PXEClient"
        b"\x61\x11" + (request.option(97) or b"") + b"\x2b\x23" + MENU + b"\x42\x0910.77.0.2" + b"\xff"
    )
    fixed = bytes((2, 1, 6, 0)) + request.xid.to_bytes(4) + bytes.fromhex("00008000") + bytes(8)
    fixed += ME.packed + bytes(4) + request.chaddr + bytes(10 + 64 + 128) + bytes.fromhex("63825363")
    reply = handled(request)
    assert reply.data == fixed + options
    assert reply.to == ("255.255.255.255", 68)


def test_firmware_764_859_862_894_the_menus_name_is_padded_for_the_3b() -> None:
    offered = Proxy().reply(pi(PI3)).option(Option.VENDOR_SPECIFIC)
    assert offered == MENU
    assert len(MENU) == 35


def test_rpi_eeprom_60_the_menu_has_one_item() -> None:
    offered = Proxy().reply(pi(PI4)).option(Option.VENDOR_SPECIFIC) or b""
    item = offered[offered.index(b"\x09\x17") + 2 :]
    assert item[3:] == b"Raspberry Pi Boot   \xff"


def test_rpi_eeprom_82_no_pad_stands_before_the_end() -> None:
    data = handled(pi(PI4)).data[240:]
    position = 0
    while data[position] != Option.END:
        assert data[position] != Option.PAD
        position += 2 + data[position + 1]
    assert not any(data[position + 1 :])


def test_rpi_eeprom_72_siaddr_is_set_beside_option_66() -> None:
    offer = Proxy().reply(pi(PI4))
    assert offer.siaddr == offer.address(Option.SERVER_ID) == ME
    assert offer.option(Option.SERVER_NAME) == b"10.77.0.2"


def test_firmware_859_862_a_pi_3_is_answered_after_the_router() -> None:
    assert 1 <= handled(pi(PI3)).delay <= 2
    assert handled(pi(PI4)).delay == handled(pi(PI5)).delay == 0


def test_firmware_1067_pi_3s_take_turns_and_the_answer_names_one_card() -> None:
    reply = handled(pi(PI3))
    assert reply.one_at_a_time
    assert reply.data[28:34] == bytes.fromhex(MACS[PI3].replace(":", ""))
    assert not handled(pi(PI4)).one_at_a_time
    assert not handled(pi(PI3), source=("10.77.0.9", 68)).one_at_a_time  # nobody else hears that


def test_rpi_eeprom_182_firmware_1928_no_pi_is_named_a_program() -> None:
    for generation in Generation:
        offer = Proxy().reply(pi(generation))
        assert (offer.file, offer.sname, offer.option(Option.BOOT_FILE)) == (b"", b"", None)
    uefi = pi_discover(MACS[PI4], None, arch=11)
    assert Proxy().reply(uefi).file == b"ipxe/ipxe-arm64.efi"


def test_rpi_eeprom_58_an_answer_to_the_segment_has_no_hops() -> None:
    reply = handled(pi(PI4))
    assert reply.data[3] == 0
    assert reply.data[24:28] == bytes(4)


def test_firmware_670_the_server_is_named_by_its_address_in_the_pis_own_network() -> None:
    """The one of the interface where the question came in; a 3B reaches no other network."""
    assert Proxy().reply(pi(PI3)).siaddr == ME


def test_firmware_1808_1938_all_addresses_are_ipv4() -> None:
    offer = Proxy().reply(pi(PI5))
    assert IPv4Address((offer.option(Option.SERVER_NAME) or b"").decode()) == offer.siaddr == ME


@pytest.mark.parametrize("fourcc", [b"RPi4", b"4iPR", b"5iPR"])
def test_cmprovision_16_61_every_spelling_is_known(fourcc: bytes) -> None:
    request = pi_discover("52:54:00:00:00:01", eeprom_id(MACS[PI4], 0xC03111, fourcc=fourcc))
    assert Proxy().reply(request).option(Option.VENDOR_SPECIFIC) == MENU


def test_who_is_to_boot_its_disk_or_to_wait_gets_the_same_offer_and_is_declined_by_tftp() -> None:
    """Silence would cost it the 45 s of its DHCP timeout."""
    mac = MACS[PI4]
    for lines in (
        "layer: ainur\nintent: local\n",
        "layer: ainur\nintent: hold\n",
        "chain: talos\nconfig: configs/one.yaml\n",
    ):
        offer = Proxy(fleet_of(("pi", mac, lines), ainur=LAYER)).reply(pi(PI4))
        assert offer.option(Option.VENDOR_SPECIFIC) == MENU


def test_a_request_to_the_router_is_left_alone_with_and_without_option_60() -> None:
    request = replace(pi(PI4), options=((53, bytes((MessageType.REQUEST,))), *pi(PI4).options[1:]))
    for options in (request.options, request.options[:-1]):
        assert not isinstance(Proxy().handle(encode(replace(request, options=options))), Reply)


def test_the_answer_is_broadcast_and_short_enough_for_everybody() -> None:
    reply = handled(pi(PI5))
    assert len(reply.data) <= 576
    assert Proxy().reply(pi(PI5)).flags == BROADCAST_FLAG
