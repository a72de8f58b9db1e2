"""Which other DHCP servers there are, by what the daemon hears of them.

A client's REQUEST names the server whose offer it takes (option 54, RFC 2131 section 4.3.2), and clients broadcast it.
Replies are heard themselves where they are broadcast, as most firmware asks for. That a network has one server of
addresses is as it should be. A second one, or a server that offers something to boot, is told.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import AddressValueError, IPv4Address

from msgspec import Struct

from iluvatar_pxe.printable import plain_text
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import ANY, BOOTREPLY, DhcpMessage, MessageType, Option
from iluvatar_pxe.wire.pxe import HTTP_CLIENT, PXE_CLIENT

MOST_SERVERS = 32
"""Remembered; no others are taken in while there are so many, so that invented ones cause no flood of events."""
FORGOTTEN = timedelta(days=1)
"""After which a server that is silent is no longer told."""


class Heard(Struct, frozen=True, kw_only=True):
    """What one message tells of a DHCP server. ``boots``: it offered something to boot, ``boot_file`` of ``boot_server``."""

    address: IPv4Address
    gives_addresses: bool = False
    boots: bool = False
    boot_file: str = ""
    boot_server: IPv4Address | None = None


class DhcpServer(Struct, frozen=True, kw_only=True):
    """A DHCP server on the network of an interface; ``is_ours``: it is another daemon of the fleet."""

    interface: str
    heard: Heard
    first: datetime
    last: datetime
    is_ours: bool = False
    why: str = ""
    """Why it is one too many, in one line; empty where it is not."""


def chosen_by(request: DhcpMessage) -> Heard | None:
    """Return the server whose address a client takes, if its message on port 67 names one; a relay's are elsewhere."""
    server = _host(request.address(Option.SERVER_ID))
    if request.message_type is not MessageType.REQUEST or request.giaddr != ANY or server is None:
        return None
    return Heard(address=server, gives_addresses=True)


def offered_by(reply: DhcpMessage, source: IPv4Address) -> Heard | None:
    """Return what a reply tells of the server that has sent it from ``source``; None for anything else."""
    if reply.op != BOOTREPLY or reply.message_type not in {MessageType.OFFER, MessageType.ACK}:
        return None
    server = _host(reply.address(Option.SERVER_ID)) or _host(source)
    if server is None:
        return None
    file = reply.file or (reply.option(Option.BOOT_FILE) or b"").rstrip(b"\0")
    kind = reply.option(Option.VENDOR_CLASS) or b""
    return Heard(
        address=server,
        gives_addresses=reply.yiaddr not in {ANY, reply.ciaddr},
        boots=bool(file) or kind.startswith((PXE_CLIENT, HTTP_CLIENT)),
        boot_file=plain_text(file.decode("latin-1")),
        boot_server=_boot_server(reply),
    )


class DhcpServers:
    """Those that were heard within a day, in the order in which they were heard first."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, IPv4Address], DhcpServer] = {}
        self._told: set[tuple[str, IPv4Address]] = set()

    def take(self, interface: str, heard: Heard, own: IPv4Address, now: datetime) -> bool:
        """Take in what was heard on an interface with the address ``own``; say whether a server is new, or does more."""
        self.forget(now)
        key = (interface, heard.address)
        known = self._servers.get(key)
        if known is None and len(self._servers) >= MOST_SERVERS:
            return False
        if heard.boot_server == own:  # it sends machines here
            heard = replace(heard, boots=False)
        merged = _merged(known.heard, heard) if known else heard
        found = DhcpServer(interface=interface, heard=merged, first=now, last=now)
        self._servers[key] = replace(known, heard=merged, last=now) if known else found
        return known is None or known.heard != merged

    def forget(self, now: datetime) -> None:
        """Forget those that were silent for a day."""
        for key in [key for key, one in self._servers.items() if now - one.last > FORGOTTEN]:
            del self._servers[key]
            self._told.discard(key)

    def know_ours(self, addresses: frozenset[IPv4Address]) -> None:
        """Take in where the fleet's other daemons are; what was known stays, for a name may be unknown for a while."""
        for key, one in self._servers.items():
            self._servers[key] = replace(one, is_ours=one.is_ours or one.heard.address in addresses)

    @property
    def all(self) -> Sequence[DhcpServer]:
        """All of them, with what is wrong about each."""
        return [replace(one, why=self._why(one)) for one in self._servers.values()]

    @property
    def lines(self) -> list[str]:
        """Which of them are too many, one line each."""
        return [one.why for one in self.all if one.why]

    def news(self) -> Sequence[DhcpServer]:
        """Return those that are too many and were not returned before."""
        found = [one for one in self.all if one.why and (one.interface, one.heard.address) not in self._told]
        self._told |= {(one.interface, one.heard.address) for one in found}
        return found

    def _why(self, server: DhcpServer) -> str:
        if server.is_ours:
            return ""
        heard = server.heard
        if heard.boots:
            what = f"offers {heard.boot_file} to boot" if heard.boot_file else "answers boot requests, too"
            return f"{heard.address} on {server.interface} {what}; switch its network boot off, or machines may boot from it"
        before = self._first_on(server.interface)
        if not heard.gives_addresses or before is None or before == heard.address:
            return ""
        remedy = "keep one of the two, unless they are meant to work together"
        return f"{heard.address} on {server.interface} gives addresses, and so does {before}; {remedy}"

    def _first_on(self, interface: str) -> IPv4Address | None:
        """Return the server of addresses that was heard first on an interface."""
        givers = (
            one.heard.address
            for one in self._servers.values()
            if one.interface == interface and one.heard.gives_addresses
        )
        return next(givers, None)


def _merged(known: Heard, heard: Heard) -> Heard:
    """Return what is known of a server by two messages, of which the second is the later."""
    told = heard if heard.boots else known
    return Heard(
        address=heard.address,
        gives_addresses=known.gives_addresses or heard.gives_addresses,
        boots=told.boots,
        boot_file=told.boot_file,
        boot_server=told.boot_server,
    )


def _boot_server(reply: DhcpMessage) -> IPv4Address | None:
    """Return where a boot file is, if an address says it: in the header, or as option 66."""
    try:
        named = IPv4Address((reply.option(Option.SERVER_NAME) or b"").rstrip(b"\0").decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        named = None
    return _host(reply.siaddr) or _host(named)


def _host(address: IPv4Address | None) -> IPv4Address | None:
    """Return an address that a host can have, else None."""
    if address is None or address.is_multicast or address.is_unspecified or address.is_reserved:
        return None
    return address
