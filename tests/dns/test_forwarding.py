"""Domains of which others know the names."""

from ipaddress import IPv4Address, IPv4Interface

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.dns.authority import Authority
from iluvatar_pxe.dns.fleet_zones import Facts, zones_of
from iluvatar_pxe.dns.forwarding import kept_here, resolvers_of
from iluvatar_pxe.dns.local import local_zones
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.types import Rcode, Type

HERE = IPv4Address("192.168.1.2")
ROUTER, OTHER = (Upstream(IPv4Address(f"192.168.1.{last}")) for last in (1, 3))


@pytest.mark.parametrize(
    ("text", "resolvers"),
    [
        ("nas.lan", (ROUTER,)),
        ("lan", (ROUTER,)),
        ("a.b.lan", (ROUTER,)),
        ("x.office.lan", (OTHER,)),
        ("plan", None),
        ("lan.example", None),
        (".", None),
    ],
)
def test_the_smallest_domain_counts(text: str, resolvers: tuple[Upstream, ...] | None) -> None:
    forward = {name_of("lan"): (ROUTER,), name_of("office.lan"): (OTHER,)}
    assert resolvers_of(forward, name_of(text)) == resolvers


def authority(*forward: str) -> Authority:
    """Return the zones of lab.home.arpa at 192.168.1.2, without those of other domains' names."""
    asked = frozenset(map(name_of, forward))
    domains = asked - kept_here(asked, name_of("lab.home.arpa"))
    local = {apex: zone for apex, zone in local_zones().items() if apex not in domains}
    facts = Facts(fleet_of(), interfaces=(IPv4Interface("192.168.1.2/24"),))
    return Authority({**local, **zones_of(facts, 1, HERE)}, domains)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("nas.home.arpa", "home.arpa"),
        ("nas.lan", "lan"),
        ("lan", "lan"),
        ("nas.fritz.box", "fritz.box"),
        ("1.2.168.192.in-addr.arpa", "2.168.192.in-addr.arpa"),
        ("1.2.168.192.in-addr.arpa", "168.192.in-addr.arpa"),
    ],
)
def test_names_of_such_a_domain_are_asked_for(text: str, domain: str) -> None:
    assert authority(domain).find(name_of(text), Type.A) is None


@pytest.mark.parametrize(
    ("text", "domain", "rcode"),
    [
        ("pxe.lab.home.arpa", "home.arpa", Rcode.NOERROR),
        ("pxe.lab.home.arpa", "lab.home.arpa", Rcode.NOERROR),
        ("git.lab.home.arpa", "git.lab.home.arpa", Rcode.NOERROR),
        ("x.sub.lab.home.arpa", "sub.lab.home.arpa", Rcode.NXDOMAIN),
        ("localhost", "localhost", Rcode.NOERROR),
        ("x.localhost", "localhost", Rcode.NOERROR),
        ("x.localhost", "x.localhost", Rcode.NOERROR),
        ("_dns.resolver.arpa", "resolver.arpa", Rcode.NOERROR),
        ("x.onion", "x.onion", Rcode.NXDOMAIN),
        ("nas.home.arpa", "lan", Rcode.NXDOMAIN),
        ("1.3.168.192.in-addr.arpa", "2.168.192.in-addr.arpa", Rcode.NXDOMAIN),
    ],
)
def test_others_are_answered_here(text: str, domain: str, rcode: Rcode) -> None:
    found = authority(domain).find(name_of(text), Type.A)
    assert found
    assert (found.rcode, found.is_shared) == (rcode, False)


@pytest.mark.parametrize(
    ("text", "is_shared"),
    [
        ("77.1.168.192.in-addr.arpa", True),
        ("2.1.168.192.in-addr.arpa", False),
        ("1.168.192.in-addr.arpa", False),
        ("77.2.168.192.in-addr.arpa", False),
        ("nobody.lab.home.arpa", False),
    ],
)
def test_an_address_in_use_that_is_not_known_may_be_known_to_the_router(
    text: str, *, is_shared: bool
) -> None:
    found = authority().find(name_of(text), Type.PTR)
    assert found
    assert found.is_shared is is_shared
