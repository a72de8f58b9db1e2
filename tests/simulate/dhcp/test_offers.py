"""Which answers a simulated firmware takes, and why not the others."""

from ipaddress import IPv4Address

import pytest
from support.proxy import captured

from iluvatar_pxe.simulate.dhcp import offers
from iluvatar_pxe.simulate.dhcp.messages import firmware_discover
from iluvatar_pxe.simulate.dhcp.offers import Heard, Offers
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import ANY, BOOTREPLY, DhcpMessage, MessageType, Option

ROUTER, PROXY = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.2")
ASKED = firmware_discover(Machine(Kind.UEFI_X64, b"\x02" * 6), 77)
MENU = bytes.fromhex("0601030a040050584509170000145261737062657272792050692042" + b"oot   ".hex() + "ff")


def offer(**changes: object) -> DhcpMessage:
    """Return a proxy's offer that every firmware takes but a Pi; a change by an option's name replaces it."""
    options: dict[int, bytes | None] = {
        Option.MESSAGE_TYPE: bytes((MessageType.OFFER,)),
        Option.SERVER_ID: PROXY.packed,
        Option.VENDOR_CLASS: b"PXEClient",
        Option.BOOT_FILE: b"boot\0",
    }
    fields = {}
    for name, value in changes.items():
        if name.isupper():
            options[Option[name]] = value  # type: ignore[assignment]
        else:
            fields[name] = value
    kept = tuple((int(code), value) for code, value in options.items() if value is not None)
    message = DhcpMessage(op=BOOTREPLY, xid=ASKED.xid, chaddr=ASKED.chaddr, siaddr=PROXY, options=kept)
    return replace(message, **fields)  # type: ignore[arg-type]


def lease(**changes: object) -> DhcpMessage:
    given = {"yiaddr": IPv4Address("10.77.0.9"), "siaddr": ANY, "SERVER_ID": ROUTER.packed}
    return offer(**(given | {"VENDOR_CLASS": None, "BOOT_FILE": None} | changes))


def collected(
    *messages: DhcpMessage,
    why_not: offers.WhyNot = offers.uefi_pxe,
    needs_lease: bool = True,
    lease_first: bool = False,
) -> Offers:
    found = Offers(ASKED, why_not, 67, needs_lease, lease_first)
    for message in messages:
        server = message.address(Option.SERVER_ID) or PROXY
        found.take(Heard(message, (str(server), 67)))
    return found


def test_lease_and_boot_come_from_two_offers_in_any_order() -> None:
    for messages in ((lease(), offer()), (offer(), lease())):
        found = collected(*messages)
        assert found.complete
        assert found.taken
        assert found.taken.server == ROUTER


REFUSED = {
    "no-54": (offers.uefi_pxe, offer(SERVER_ID=None), "option 54"),
    "http-no-54": (offers.uefi_http, offer(SERVER_ID=None, VENDOR_CLASS=b"HTTPClient"), "option 54"),
    "bios-no-54": (offers.bios_pxe, offer(SERVER_ID=None), "option 54"),
    "no-class": (offers.uefi_pxe, offer(VENDOR_CLASS=None), "option 60 is not PXEClient"),
    "http-class-for-pxe": (offers.uefi_pxe, offer(VENDOR_CLASS=b"HTTPClient"), "PXEClient"),
    "pxe-class-for-http": (offers.uefi_http, offer(), "HTTPClient"),
    "http-no-file": (offers.uefi_http, offer(VENDOR_CLASS=b"HTTPClient", BOOT_FILE=None), "no boot file"),
    "uefi-menu": (offers.uefi_pxe, offer(VENDOR_SPECIFIC=bytes.fromhex("060108ff")), "PXE menu"),
    "ipxe-class": (offers.ipxe, offer(VENDOR_CLASS=b"HTTPClient"), "PXEClient"),
    "pi-no-menu": (offers.raspberry_pi, offer(), "no boot menu"),
    "pi-other-menu": (
        offers.raspberry_pi,
        offer(VENDOR_SPECIFIC=bytes.fromhex("0906000003505845ff")),
        "Raspberry Pi Boot",
    ),
    "pi-two-entries": (
        offers.raspberry_pi,
        offer(VENDOR_SPECIFIC=bytes.fromhex("090a00000141") + b"\0\0\1B\0\0"),
        "more or fewer than one entry",
    ),
    "pi3-not-padded": (
        offers.raspberry_pi_3,
        offer(
            VENDOR_SPECIFIC=MENU.replace(b"\x17", b"\x14")
            .replace(b"\x14\x00\x00\x14", b"\x14\x00\x00\x11")
            .replace(b"oot   ", b"oot")
        ),
        "lacks the Raspberry Pi Boot text of this model",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_offer_is_refused_with_its_reason(case: str) -> None:
    why_not, message, reason = REFUSED[case]
    found = collected(lease(), message, why_not=why_not)
    assert not found.complete
    assert reason in found.missing


@pytest.mark.parametrize(
    ("why_not", "message"),
    [
        (offers.uefi_pxe, offer()),
        (offers.uefi_http, offer(VENDOR_CLASS=b"HTTPClient:Arch:00016")),
        (offers.bios_pxe, offer(VENDOR_SPECIFIC=bytes.fromhex("060108ff"))),
        (offers.ipxe, offer(SERVER_ID=None)),
        (offers.raspberry_pi, offer(VENDOR_SPECIFIC=MENU)),
        (offers.raspberry_pi, offer(SERVER_ID=None, VENDOR_SPECIFIC=MENU)),
        (offers.raspberry_pi_3, offer(VENDOR_SPECIFIC=MENU)),
    ],
)
def test_what_each_firmware_takes(why_not: offers.WhyNot, message: DhcpMessage) -> None:
    assert collected(lease(), message, why_not=why_not).complete


@pytest.mark.parametrize(
    "message",
    [offer(xid=78), offer(chaddr=b"\x04" * 6), offer(op=1), offer(MESSAGE_TYPE=bytes((MessageType.ACK,)))],
    ids=["xid", "chaddr", "op", "type"],
)
def test_what_is_for_others_is_passed_over(message: DhcpMessage) -> None:
    found = collected(message, needs_lease=False)
    assert (found.boot, found.refused) == (None, [])


def test_a_pi_3s_rom_wants_the_routers_offer_first() -> None:
    """raspberrypi/firmware#859"""
    menu = offer(VENDOR_SPECIFIC=MENU)
    early = collected(menu, lease(), why_not=offers.raspberry_pi_3, lease_first=True)
    assert not early.complete
    assert "before the router's offer" in early.missing
    assert collected(lease(), menu, why_not=offers.raspberry_pi_3, lease_first=True).complete


def test_a_lease_comes_from_a_dhcp_server_that_says_who_it_is() -> None:
    found = Offers(ASKED, offers.uefi_pxe, 67, needs_lease=True)
    found.take(Heard(lease(), (str(ROUTER), 4011)))
    found.take(Heard(lease(SERVER_ID=None), (str(ROUTER), 67)))
    assert not found.has_lease
    assert found.missing == "no DHCP server offers an address"


def test_where_each_firmware_looks_for_the_boot_file() -> None:
    both = offer(file=b"field", BOOT_FILE=b"option\0rest")
    assert offers.boot_file_of_option(both) == "option"
    assert offers.boot_file_of_field(both) == "field"
    assert (
        offers.boot_file_of_option(captured("uefi-x64-pxe.4-firmware-pxe-reply-ack-4011")) == "ipxe-x64.efi"
    )


@pytest.mark.parametrize(
    ("message", "server"),
    [
        (offer(SERVER_NAME=b"10.77.0.8\0"), "10.77.0.8"),
        (offer(), str(PROXY)),
        (offer(siaddr=ANY), str(PROXY)),
        (offer(siaddr=ANY, SERVER_ID=None), "10.77.0.3"),
    ],
)
def test_where_a_pi_fetches_from(message: DhcpMessage, server: str) -> None:
    assert str(offers.pi_tftp_server(Heard(message, ("10.77.0.3", 67)))) == server


def test_a_bios_rom_takes_the_offers_file_only_when_told_to() -> None:
    assert offers.takes_boot_file_of_offer(captured("bios-virtio.1-ipxe-reply-offer"))
    assert not offers.takes_boot_file_of_offer(offer())


def test_ipxe_tells_what_it_has_heard_by_its_secs() -> None:
    assert offers.ipxe_secs(1, None) == captured("bios-virtio.0-ipxe-discover").secs
    assert (
        offers.ipxe_secs(2, collected(lease(), offer(), why_not=offers.ipxe))
        == captured("bios-virtio.2-ipxe-request").secs
    )


def test_a_router_can_switch_proxies_off() -> None:
    assert offers.wants_no_proxy(lease(IPXE=bytes.fromhex("b00101")))
    assert not offers.wants_no_proxy(lease(IPXE=bytes.fromhex("b00100")))
    assert not offers.wants_no_proxy(lease())


def test_a_bios_rom_chooses_the_first_entry_of_a_menu() -> None:
    dnsmasq = bytes.fromhex("060103 0a0400505845 0807800001 0a4d0002 0906800003505845 ff")
    assert offers.first_menu_item(offer(VENDOR_SPECIFIC=dnsmasq)) == bytes.fromhex("80000000")
    assert offers.first_menu_item(offer()) is None
