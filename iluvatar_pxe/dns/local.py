"""Zones that resolvers must answer locally and never forward."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address

from iluvatar_pxe.dns.zone import Node, Zone, start_of
from iluvatar_pxe.wire.dns.name import Name, is_below, name_of, reverse_name
from iluvatar_pxe.wire.dns.types import Record, Target, Type

_NO_SECONDS = 300
_TTL = 86400
_NOBODY = name_of("nobody.invalid")
_LOCALHOST = name_of("localhost")

_PRIVATE = (
    # RFC 6303, 4.1 to 4.6: this network, loopback, private and link-local addresses, documentation
    *(
        "0.in-addr.arpa",
        "127.in-addr.arpa",
        "10.in-addr.arpa",
        "168.192.in-addr.arpa",
        "254.169.in-addr.arpa",
    ),
    *(f"{second}.172.in-addr.arpa" for second in range(16, 32)),
    *("2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa"),
    "255.255.255.255.in-addr.arpa",
    *(f"{second}.100.in-addr.arpa" for second in range(64, 128)),  # RFC 7793: shared with a provider's NAT
    *("0." * 32 + "ip6.arpa", "1." + "0." * 31 + "ip6.arpa"),
    *("c.f.ip6.arpa", "d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa", "b.e.f.ip6.arpa"),
    "8.b.d.0.1.0.0.2.ip6.arpa",
)
_SPECIAL = (
    "home.arpa",  # RFC 8375
    "local",  # RFC 6762: of multicast DNS
    "localhost",  # RFC 6761
    "invalid",  # RFC 6761
    "onion",  # RFC 7686
)


def local_zones() -> Mapping[Name, Zone]:
    """Return those zones, nearly all empty, by their apex."""
    zones = {}
    for text in (*_PRIVATE, *_SPECIAL):
        apex = name_of(text)
        zones[apex] = _zone(apex, _known(apex))
    return zones


def _zone(apex: Name, known: Iterable[Record]) -> Zone:
    """Return a zone such as RFC 6303, 3 describes."""
    start = start_of(apex, apex, _NOBODY, 1, no=_NO_SECONDS)
    by_name: dict[Name, list[Record]] = {apex: [start, Record(apex, Type.NS, _TTL, Target(apex))]}
    for record in known:
        by_name.setdefault(record.name, []).append(record)
    return Zone.of(apex, {name: Node.of(records, "local zone") for name, records in by_name.items()})


def _known(apex: Name) -> list[Record]:
    if apex == _LOCALHOST:
        return [
            Record(apex, Type.A, _TTL, IPv4Address("127.0.0.1")),
            Record(apex, Type.AAAA, _TTL, IPv6Address("::1")),
        ]
    name = reverse_name(IPv4Address("127.0.0.1"))
    return [Record(name, Type.PTR, _TTL, Target(_LOCALHOST))] if is_below(name, apex) else []
