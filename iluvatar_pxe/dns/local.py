"""Zones that resolvers must answer locally and never forward."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from iluvatar_pxe.dns.zone import Node, Zone, start_of
from iluvatar_pxe.wire.dns.name import Name, is_below, name_of, reverse_name
from iluvatar_pxe.wire.dns.types import Record, Target, Type

_NO_SECONDS = 300
_TTL = 86400
_NOBODY = name_of("nobody.invalid")
_LOCALHOST = name_of("localhost")
_EVERY_LOCALHOST = name_of("*.localhost")
_EVERY_RESOLVER = name_of("*.resolver.arpa")

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
    "service.arpa",  # RFC 9665: of a link's own services
    "local",  # RFC 6762: of multicast DNS
    "localhost",  # RFC 6761
    "invalid",  # RFC 6761
    "test",  # RFC 6761
    "onion",  # RFC 7686
    "alt",  # RFC 9476: of no DNS
    "resolver.arpa",  # RFC 9462: this daemon has no encrypted resolver to name
)
"""Others of IANA's registry of special names are asked for as they are: example (RFC 6761, 6.5), ipv4only.arpa (RFC 8880,
7.1: its answer is what tells a NAT64 before this daemon), 6tisch.arpa, eap.arpa and eap-noob.arpa."""

KEPT = tuple(map(name_of, ("localhost", "invalid", "onion", "alt", "resolver.arpa")))
"""Those that no resolver knows better, not even a router: what asks for them must not leave this daemon."""


def local_zones() -> Mapping[Name, Zone]:
    """Return those zones, nearly all empty, by their apex."""
    return {apex: _zone(apex) for apex in map(name_of, (*_PRIVATE, *_SPECIAL))}


def _zone(apex: Name) -> Zone:
    """Return a zone such as RFC 6303, 3 describes."""
    start = start_of(apex, apex, _NOBODY, 1, no=_NO_SECONDS)
    known: dict[Name, list[Record]] = {apex: [start, Record(apex, Type.NS, _TTL, Target(apex))]}
    for name, records in _KNOWN.items():
        if is_below(name, apex):
            known.setdefault(name, []).extend(records)
    return Zone.of(apex, {name: Node.of(records, "local zone") for name, records in known.items()})


def _loopback(name: Name) -> list[Record]:
    return [
        Record(name, Type.A, _TTL, IPv4Address("127.0.0.1")),
        Record(name, Type.AAAA, _TTL, IPv6Address("::1")),
    ]


_KNOWN: Mapping[Name, list[Record]] = {
    _LOCALHOST: _loopback(_LOCALHOST),
    _EVERY_LOCALHOST: _loopback(_EVERY_LOCALHOST),  # RFC 6761, 6.3
    _EVERY_RESOLVER: [],  # RFC 9462, 6.4: every name is there, and has nothing
    **{
        (name := reverse_name(address)): [Record(name, Type.PTR, _TTL, Target(_LOCALHOST))]
        for address in (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    },
}
"""What the zones have besides what each zone has."""
