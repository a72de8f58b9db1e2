"""Names that nobody else is asked for."""

from ipaddress import IPv4Address, ip_address

import pytest

from iluvatar_pxe.dns.authority import Authority
from iluvatar_pxe.dns.local import local_zones
from iluvatar_pxe.wire.dns.name import name_of, reverse_name
from iluvatar_pxe.wire.dns.types import Rcode, Target, Type

AUTHORITY = Authority(local_zones())


ZONES = [
    # IANA, "Locally-Served DNS Zones" and "Special-Use Domain Names": a zone, and the RFC that says so
    ("0.in-addr.arpa", "6303 4.2"),
    ("127.in-addr.arpa", "6303 4.2"),
    ("254.169.in-addr.arpa", "6303 4.2"),
    ("2.0.192.in-addr.arpa", "6303 4.2"),
    ("100.51.198.in-addr.arpa", "6303 4.2"),
    ("113.0.203.in-addr.arpa", "6303 4.2"),
    ("255.255.255.255.in-addr.arpa", "6303 4.2"),
    ("10.in-addr.arpa", "6303 4.1"),
    *((f"{second}.172.in-addr.arpa", "6303 4.1") for second in range(16, 32)),
    ("168.192.in-addr.arpa", "6303 4.1"),
    *((f"{second}.100.in-addr.arpa", "7793") for second in range(64, 128)),
    ("0." * 32 + "ip6.arpa", "6303 4.3"),
    ("1." + "0." * 31 + "ip6.arpa", "6303 4.3"),
    ("d.f.ip6.arpa", "6303 4.4"),
    *((f"{digit}.e.f.ip6.arpa", "6303 4.5") for digit in "89ab"),
    ("8.b.d.0.1.0.0.2.ip6.arpa", "6303 4.6"),
    ("home.arpa", "8375 4"),
    ("service.arpa", "9665"),
    ("resolver.arpa", "9462 6.4"),
]
NAMES = [
    ("x.local", "6762 22.1"),
    ("x.invalid", "6761 6.4"),
    ("x.test", "6761 6.2"),
    ("x.onion", "7686 2"),
    ("x.alt", "9476 2"),
    ("x.home.arpa", "8375 4"),
    ("x.service.arpa", "9665"),
]
"""Names that are not there, and whose RFC says so."""


@pytest.mark.parametrize(("apex", "rfc"), ZONES, ids=[f"{apex[-40:]} RFC {rfc}" for apex, rfc in ZONES])
def test_a_zone_that_is_served_locally(apex: str, rfc: str) -> None:
    for kind in (Type.SOA, Type.NS):
        found = AUTHORITY.find(name_of(apex), kind)
        assert found, rfc
        assert [record.type for record in found.answers] == [kind]
    other = AUTHORITY.find(name_of(apex), Type.A)
    assert other
    assert (other.rcode, other.answers, other.authorities[0].type) == (Rcode.NOERROR, (), Type.SOA)
    assert AUTHORITY.find(name_of(apex), Type.DS) is None, "its parent's: who validates needs the proof"


@pytest.mark.parametrize(("text", "rfc"), NAMES, ids=[f"{text} RFC {rfc}" for text, rfc in NAMES])
@pytest.mark.parametrize("kind", [Type.A, Type.AAAA, Type.TXT])
def test_a_name_that_is_nobodys(text: str, rfc: str, kind: Type) -> None:
    found = AUTHORITY.find(name_of(text), kind)
    assert found, rfc
    assert (found.rcode, found.authorities[0].type) == (Rcode.NXDOMAIN, Type.SOA)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("_dns.resolver.arpa", 64),
        ("_dns.resolver.arpa", Type.A),
        ("x.y.resolver.arpa", 64),
        ("resolver.arpa", 64),
    ],
)
def test_this_daemon_names_no_encrypted_resolver(text: str, kind: int) -> None:
    """RFC 9462, 6.4: NODATA, and not NXDOMAIN; 6.1: never forwarded."""
    found = AUTHORITY.find(name_of(text), kind)
    assert found
    assert (found.rcode, found.answers, found.authorities[0].type) == (Rcode.NOERROR, (), Type.SOA)


@pytest.mark.parametrize("text", ["localhost", "x.localhost", "a.b.localhost"])
def test_localhost_and_what_is_below_is_this_host_for_everybody(text: str) -> None:
    """RFC 6761, 6.3."""
    answers = [AUTHORITY.find(name_of(text), kind) for kind in (Type.A, Type.AAAA, Type.TXT)]
    assert [[str(one.data) for one in found.answers] for found in answers if found] == [
        ["127.0.0.1"],
        ["::1"],
        [],
    ]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "127.9.9.9",
            "100.64.0.1",
        ),
        *("0.0.0.0", "fd00::1", "fc00::1", "fe80::1", "fe90::1", "febf::1", "::", "2001:db8::1"),
    ],
)
def test_private_addresses_are_not_told_to_upstreams(address: str) -> None:
    found = AUTHORITY.find(reverse_name(ip_address(address)), Type.PTR)
    assert found
    assert found.authorities[0].type is Type.SOA
    assert found.answers == ()


@pytest.mark.parametrize(
    "address", ["9.9.9.9", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1"]
)
def test_public_addresses_are_asked_for(address: str) -> None:
    assert AUTHORITY.find(reverse_name(IPv4Address(address)), Type.PTR) is None


@pytest.mark.parametrize(
    ("text", "kind", "rcode"),
    [
        ("nas.local", Type.A, Rcode.NXDOMAIN),
        ("x.invalid", Type.A, Rcode.NXDOMAIN),
        ("abc.onion", Type.AAAA, Rcode.NXDOMAIN),
        ("other.home.arpa", Type.A, Rcode.NXDOMAIN),
        ("home.arpa", Type.SOA, Rcode.NOERROR),
        ("10.in-addr.arpa", Type.NS, Rcode.NOERROR),
        ("arda-01", Type.A, Rcode.NXDOMAIN),
        ("arda-01", Type.AAAA, Rcode.NXDOMAIN),
        ("arda-01", Type.HTTPS, Rcode.NXDOMAIN),
    ],
)
def test_names_that_are_nobodys_stay_here(text: str, kind: Type, rcode: Rcode) -> None:
    found = AUTHORITY.find(name_of(text), kind)
    assert found
    assert found.rcode is rcode


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_loopback_addresses_are_localhosts(address: str) -> None:
    found = AUTHORITY.find(reverse_name(ip_address(address)), Type.PTR)
    assert found
    assert [record.data for record in found.answers] == [Target(name_of("localhost"))]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("www.example.com", Type.A),
        ("home.arpa", Type.DS),
        ("www.example", Type.A),  # RFC 6761, 6.5
        ("www.example.com", Type.AAAA),
        ("ipv4only.arpa", Type.AAAA),  # RFC 8880, 7.1
        ("170.0.0.192.in-addr.arpa", Type.PTR),
        ("x.6tisch.arpa", Type.A),  # RFC 9031
        ("x.eap-noob.arpa", Type.A),  # RFC 9140
        ("arpa", Type.DS),
        ("com", Type.DS),
        (".", Type.NS),
        ("notlocal", Type.SOA),
        ("in-addr.arpa", Type.SOA),
    ],
)
def test_all_others_are_asked_for(text: str, kind: Type) -> None:
    assert AUTHORITY.find(name_of(text), kind) is None
