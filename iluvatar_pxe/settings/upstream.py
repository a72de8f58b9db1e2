"""An upstream resolver, to which queries are forwarded, and its spelling in the settings."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

DNS_PORT, TLS_PORT = 53, 853
"""RFC 1035 section 4.2, RFC 7858 section 3.1."""

_TLS = "tls://"
_SERVER = re.compile(
    r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?|(?P<bare>[^\[\]]+)"
)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.*[A-Za-z])(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_EVERYBODY = IPv4Address("255.255.255.255")

_SPELLINGS = (
    "a resolver is an address such as 1.1.1.1, [2606:4700::1111]:53 or tls://1.1.1.1:853#one.one.one.one"
)
_NO_NAME = "a resolver is an address, not a name (a certificate's name goes after #)"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A resolver: asked by UDP and TCP, or by TLS alone (RFC 7858)."""

    address: Address
    port: int = DNS_PORT
    tls: bool = False
    name: str = ""
    """What its certificate must be for; empty: its address."""

    def __str__(self) -> str:
        """Return the spelling of the setting."""
        port = "" if self.port == _default_port(tls=self.tls) else f":{self.port}"
        bare = isinstance(self.address, IPv4Address) or not (port or self.tls)
        server = f"{self.address}" if bare else f"[{self.address}]"
        return f"{_TLS if self.tls else ''}{server}{port}{'#' if self.name else ''}{self.name}"


def parse_upstream(text: str) -> Upstream:
    """Read one resolver of ``[dns] upstream``; raises ValueError, which says what to write."""
    tls = text.startswith(_TLS)
    server, mark, name = text.removeprefix(_TLS).partition("#")
    found = _SERVER.fullmatch(server)
    if not found:
        raise ValueError(_SPELLINGS)
    address = parse_address(found["bracketed"] or found["plain"] or found["bare"])
    port = int(found["port"] or _default_port(tls=tls))
    if not 1 <= port <= 65535:
        raise ValueError("a resolver's port is a number from 1 to 65535")
    if mark and not tls:
        raise ValueError("a name after # is the certificate's; write tls:// before the address")
    if mark and not _NAME.fullmatch(name):
        raise ValueError("the part after # should be the name in the resolver's certificate")
    return Upstream(address, port, tls, name)


def parse_address(text: str) -> Address:
    """Read the address of one host that can be asked from any interface; raises ValueError, which says what to write."""
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(_NO_NAME if _NAME.fullmatch(text) else _SPELLINGS) from None
    if isinstance(address, IPv6Address):
        if address.is_link_local or address.scope_id:
            raise ValueError(
                "a link-local address (fe80:, or with %) cannot be used; write another address of the resolver"
            )
        address = address.ipv4_mapped or address
    if address.is_unspecified or address.is_multicast or address == _EVERYBODY:
        raise ValueError(f"{address} is not the address of a host; write the resolver's")
    return address


def _default_port(*, tls: bool) -> int:
    return TLS_PORT if tls else DNS_PORT
