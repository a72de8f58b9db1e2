"""Which answers a firmware takes, as strictly and as sloppily as the original. Every refusal has its reason.

A firmware collects two things: a lease, which the router offers, and a boot, which a proxy offers (or the router, in
the same message). What it refuses as a boot is remembered, so that a boot that fails can say what was wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.simulate.dhcp.messages import Lease
from iluvatar_pxe.wire.dhcp import ANY, BOOTREPLY, DhcpMessage, MessageType, Option, tagged_values
from iluvatar_pxe.wire.pxe import HTTP_CLIENT, PXE_CLIENT

PXE_DISCOVERY = range(6, 11)
"""Sub-options of 43 that make an offer a boot menu (PXE 2.1 section 2.4.2)."""
_DISCOVERY_CONTROL, _MENU = 6, 9
_USE_BOOT_FILE = 0x08
_NO_PROXY = 176
"""Sub-option of 175 by which a router tells iPXE not to listen to proxies."""
PROXY_SECONDS = 2.0
"""How long iPXE waits for a proxy once it has an address (ipxe config/dhcp.h)."""
PI_MENU = b"Raspberry Pi Boot"
PI3_MENU = b"Raspberry Pi Boot   "
"""A Pi 3's ROM takes three octets more than it should: a menu entry without these spaces is none to it."""


class Heard(Struct, frozen=True):
    """A DHCP message, and the address and port it came from."""

    message: DhcpMessage
    source: tuple[str, int]

    @property
    def server(self) -> IPv4Address:
        """Who sent it, as iPXE and a Pi find out: option 54, else siaddr, else where it came from."""
        siaddr = self.message.siaddr
        named = self.message.address(Option.SERVER_ID) or (siaddr if siaddr != ANY else None)
        return named or IPv4Address(self.source[0])


WhyNot = Callable[[DhcpMessage], str | None]
"""Why a firmware does not take a message as the offer of a boot; None: it does."""


@dataclass(slots=True)
class Offers:
    """What was offered to one DISCOVER."""

    asked: DhcpMessage
    why_not: WhyNot
    dhcp_port: int
    needs_lease: bool
    lease_first: bool = False
    """A boot counts only after a lease was offered: a Pi 3's ROM (raspberrypi/firmware#859)."""
    lease: Heard | None = None
    boot: Heard | None = None
    refused: list[str] = field(default_factory=list)

    def take(self, heard: Heard) -> None:
        """Look at a message that has arrived."""
        message = heard.message
        if not answers(message, self.asked) or message.message_type is not MessageType.OFFER:
            return
        if message.yiaddr != ANY and self.lease is None and heard.source[1] == self.dhcp_port:
            self.lease = heard if message.address(Option.SERVER_ID) else None
        reason = self.why_not(message)
        if reason is None and self.lease_first and self.needs_lease and self.lease is None:
            reason = "it came before the router's offer"
        if reason is None:
            self.boot = self.boot or heard
        elif message.yiaddr == ANY:
            self.refused.append(f"the offer from {heard.server} was rejected: {reason}")

    @property
    def complete(self) -> bool:
        """There is all that the firmware needs."""
        return self.boot is not None and self.has_lease

    @property
    def has_lease(self) -> bool:
        """There is an address, or none is needed."""
        return self.lease is not None or not self.needs_lease

    @property
    def taken(self) -> Lease | None:
        """The lease to ask for."""
        if self.lease is None:
            return None
        return Lease(self.lease.message.yiaddr, self.lease.server)

    @property
    def missing(self) -> str:
        """What is not there, and why, in words."""
        if not self.has_lease:
            return "no DHCP server offers an address"
        return self.refused[-1] if self.refused else "no offer of a boot"


def answers(message: DhcpMessage, asked: DhcpMessage) -> bool:
    """Say whether a message is a reply to this request of this machine."""
    return message.op == BOOTREPLY and message.xid == asked.xid and message.chaddr == asked.chaddr


def uefi_pxe(message: DhcpMessage) -> str | None:
    """EDK2 before 2017 takes no proxy offer with a PXE menu (tianocore/edk2#6944), and no offer without 54."""
    return (
        _no_server_id(message)
        or _wrong_class(message, PXE_CLIENT)
        or ("its option 43 is a PXE menu" if _has_menu(message) else None)
    )


def uefi_http(message: DhcpMessage) -> str | None:
    """HTTP Boot wants its own class and a URL in the offer."""
    return (
        _no_server_id(message)
        or _wrong_class(message, HTTP_CLIENT)
        or (None if boot_file_of_option(message) else "it names no boot file")
    )


def bios_pxe(message: DhcpMessage) -> str | None:
    """ROMs of Intel and Supermicro want their option 97 back (danderson/pixiecore#21)."""
    return _no_server_id(message) or _wrong_class(message, PXE_CLIENT)


def ipxe(message: DhcpMessage) -> str | None:
    """IPXE keeps any offer of its class; one without server or file it asks 4011 about."""
    return _wrong_class(message, PXE_CLIENT)


def raspberry_pi(message: DhcpMessage) -> str | None:
    """An EEPROM looks for the text in a single menu entry, whatever surrounds it (raspberrypi/rpi-eeprom#376)."""
    return _pi_menu_fault(message, lambda entry: PI_MENU in entry)


def raspberry_pi_3(message: DhcpMessage) -> str | None:
    """A Pi 3's ROM wants the padded text."""
    return _pi_menu_fault(message, lambda entry: entry == PI3_MENU)


def takes_boot_file_of_offer(message: DhcpMessage) -> bool:
    """Say whether discovery control tells a BIOS ROM to use the offer's file; else it asks 4011."""
    control = dict(tagged_values(message.option(Option.VENDOR_SPECIFIC) or b"")).get(_DISCOVERY_CONTROL, b"")
    return bool(control and control[0] & _USE_BOOT_FILE)


def first_menu_item(message: DhcpMessage) -> bytes | None:
    """Return type and layer of what a BIOS ROM chooses from a boot menu that nobody looks at: its first entry."""
    menu = dict(tagged_values(message.option(Option.VENDOR_SPECIFIC) or b"")).get(_MENU, b"")
    return menu[:2] + bytes(2) if len(menu) >= 3 else None


def wants_no_proxy(message: DhcpMessage) -> bool:
    """Say whether a router's offer tells iPXE not to listen to proxies."""
    return bool(dict(tagged_values(message.option(Option.IPXE) or b"")).get(_NO_PROXY, b"\0")[-1:] != b"\0")


def boot_file_of_option(message: DhcpMessage) -> str:
    """Return the boot file as EDK2 reads it: option 67 before the field."""
    return _text(message.option(Option.BOOT_FILE) or message.file)


def boot_file_of_field(message: DhcpMessage) -> str:
    """Return the boot file as iPXE and BIOS ROMs read it: the field before option 67."""
    return _text(message.file or message.option(Option.BOOT_FILE) or b"")


def pi_tftp_server(heard: Heard) -> IPv4Address:
    """Return the server that a Pi fetches from: option 66, else siaddr, else who sent the offer."""
    return option_66(heard.message) or (heard.message.siaddr if heard.message.siaddr != ANY else heard.server)


def option_66(message: DhcpMessage) -> IPv4Address | None:
    """Return the address in option 66; a name is of no use to a Pi without DNS."""
    try:
        return IPv4Address(_text(message.option(Option.SERVER_NAME) or b""))
    except ValueError:
        return None


def ipxe_secs(count: int, offers: Offers | None) -> int:
    """Return iPXE's ``secs``: no time, but how many messages it has sent and what it has heard (ipxe dhcp.c)."""
    lease, boot = (offers.lease, offers.boot) if offers else (None, None)
    return count << 2 | (0x02 if lease else 0) | (0x01 if boot else 0)


def _no_server_id(message: DhcpMessage) -> str | None:
    return None if message.address(Option.SERVER_ID) else "it has no option 54"


def _wrong_class(message: DhcpMessage, wanted: bytes) -> str | None:
    if (message.option(Option.VENDOR_CLASS) or b"").startswith(wanted):
        return None
    return f"its option 60 is not {wanted.decode()}"


def _has_menu(message: DhcpMessage) -> bool:
    vendor = message.option(Option.VENDOR_SPECIFIC) or b""
    return any(code in PXE_DISCOVERY for code, _ in tagged_values(vendor))


def _pi_menu_fault(message: DhcpMessage, matches: Callable[[bytes], bool]) -> str | None:
    if fault := _wrong_class(message, PXE_CLIENT):
        return fault
    menu = dict(tagged_values(message.option(Option.VENDOR_SPECIFIC) or b"")).get(_MENU)
    if menu is None or len(menu) < 3:
        return "its option 43 has no boot menu"
    if len(menu) != 3 + menu[2]:
        return "its boot menu has more or fewer than one entry"
    return None if matches(menu[3:]) else "its boot menu lacks the Raspberry Pi Boot text of this model"


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("latin-1")
