"""Private addresses for public names: how a web page makes a browser at home reach the router (DNS rebinding)."""

from collections.abc import Container, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_network

from iluvatar_pxe.wire.dns.name import Name, name_of, parent_of, suffixes

_PRIVATE = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"),
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
            "100.64.0.0/10",  # RFC 6598: providers' NAT, and Tailscale
            "198.18.0.0/15",  # RFC 2544
            *("fe80::/10", "fec0::/10", "fc00::/7"),
        ),
    )
)
_LEADS_TO = {
    ip_network("::/96"): 0,  # RFC 4291, 2.5.5.1; :: and ::1 are of 0.0.0.0/8
    ip_network("::ffff:0:0/96"): 0,  # RFC 4291, 2.5.5.2
    ip_network("::ffff:0:0:0/96"): 0,  # RFC 2765, 2.1
    ip_network("64:ff9b::/96"): 0,  # NAT64: RFC 6052, 2.1
    ip_network("64:ff9b:1::/48"): 0,  # NAT64 by the network's own prefixes: RFC 8215
    ip_network("2002::/16"): 80,  # 6to4: RFC 3056, 2
}
"""Networks of IPv6 whose addresses hold one of IPv4, and how many bits follow it."""
_NOBODYS = frozenset(
    map(name_of, ("home.arpa", "internal", "lan", "home", "corp", "intranet", "private", "localdomain"))
)
"""Domains that nobody can register: RFC 8375; ICANN, 2024; RFC 6762, appendix G; what routers use besides."""


def private_among(addresses: Iterable[IPv4Address | IPv6Address]) -> IPv4Address | IPv6Address | None:
    """Return the first address that leads into somebody's own network or host."""
    return next((address for address in addresses if _is_private(address)), None)


def may_be_private(name: Name, domains: Container[Name]) -> bool:
    """Say whether a name may have private addresses: it is in one of ``domains``, or nobody outside can have it."""
    is_single = not parent_of(name)[0]
    return is_single or any(suffix in domains or suffix in _NOBODYS for suffix in suffixes(name))


def reached_by(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the address of IPv4 that one of IPv6 leads to, or the address itself."""
    return next(
        (_held(address, after) for network, after in _LEADS_TO.items() if address in network), address
    )


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    reached = reached_by(address)
    return any(reached in network for network in _PRIVATE)


def _held(address: IPv4Address | IPv6Address, after: int) -> IPv4Address:
    return IPv4Address(int(address) >> after & 0xFFFFFFFF)
