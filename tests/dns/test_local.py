"""Names that nobody else is asked for."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from iluvatar_pxe.dns.authority import Authority
from iluvatar_pxe.dns.local import local_zones
from iluvatar_pxe.wire.dns.name import name_of, reverse_name
from iluvatar_pxe.wire.dns.types import Rcode, Type

AUTHORITY = Authority(local_zones())


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.1.1",
        "127.9.9.9",
        "100.64.0.1",
        "0.0.0.0",
    ],
)
def test_private_addresses_are_not_told_to_upstreams(address: str) -> None:
    found = AUTHORITY.find(reverse_name(IPv4Address(address)), Type.PTR)
    assert found
    assert (found.rcode, found.authorities[0].type) == (Rcode.NXDOMAIN, Type.SOA)


@pytest.mark.parametrize(
    "address", ["fd00::1", "fc00::1", "fe80::1", "fe90::1", "febf::1", "::1", "::", "2001:db8::1"]
)
def test_nor_are_those_of_ipv6(address: str) -> None:
    found = AUTHORITY.find(reverse_name(IPv6Address(address)), Type.PTR)
    assert found
    assert found.rcode in {Rcode.NXDOMAIN, Rcode.NOERROR}


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
    ],
)
def test_names_that_are_nobodys_stay_here(text: str, kind: Type, rcode: Rcode) -> None:
    found = AUTHORITY.find(name_of(text), kind)
    assert found
    assert found.rcode is rcode


def test_localhost_is_this_host_for_everybody() -> None:
    answers = [AUTHORITY.find(name_of("localhost"), kind) for kind in (Type.A, Type.AAAA)]
    assert [str(found.answers[0].data) for found in answers if found] == ["127.0.0.1", "::1"]
    found = AUTHORITY.find(reverse_name(IPv4Address("127.0.0.1")), Type.PTR)
    assert found
    assert found.answers[0].type is Type.PTR


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("www.example.com", Type.A),
        ("home.arpa", Type.DS),
        ("arpa", Type.DS),
        ("com", Type.DS),
        (".", Type.NS),
        ("notlocal", Type.SOA),
        ("in-addr.arpa", Type.SOA),
    ],
)
def test_all_others_are_asked_for(text: str, kind: Type) -> None:
    assert AUTHORITY.find(name_of(text), kind) is None
