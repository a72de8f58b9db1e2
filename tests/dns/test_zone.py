"""Looking up names in a zone."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from iluvatar_pxe.dns.zone import Found, Node, Zone, start_of
from iluvatar_pxe.wire.dns.name import name_of, text_of
from iluvatar_pxe.wire.dns.types import Rcode, Record, Service, Target, Text, Type

APEX = name_of("lab.home.arpa")


def under(label: str) -> bytes:
    return name_of(f"{label}.lab.home.arpa")


def a(label: str, address: str) -> Record:
    return Record(under(label), Type.A, 30, IPv4Address(address))


def alias(label: str, target: bytes) -> Record:
    return Record(under(label), Type.CNAME, 30, Target(target))


START = start_of(APEX, under("pxe"), under("hostmaster"), 7, no=5)
RECORDS = [
    START,
    a("arda-01", "192.168.1.20"),
    Record(under("arda-01"), Type.AAAA, 30, IPv6Address("fd00::20")),
    a("*.apps.arda", "192.168.1.80"),
    a("real.apps.arda", "192.168.1.81"),
    alias("www", under("arda-01")),
    alias("out", name_of("www.example.com")),
    alias("dead", under("nobody")),
    *(alias(f"chain{n}", under(f"chain{n + 1}")) for n in range(9)),
    alias("ring", under("ring")),
    Record(under("_kubernetes._tcp.arda"), Type.SRV, 5, Service(0, 100, 6443, under("arda-01"))),
    Record(under("note"), Type.TXT, 30, Text((b"hi",))),
]


def zone() -> Zone:
    names = dict.fromkeys(record.name for record in RECORDS)
    nodes = {name: Node.of([one for one in RECORDS if one.name == name], text_of(name)) for name in names}
    return Zone.of(APEX, nodes)


def found(label: str, kind: int = Type.A) -> Found:
    return zone().find(under(label), kind)


@pytest.mark.parametrize(
    ("label", "kind", "addresses"),
    [
        ("arda-01", Type.A, ["192.168.1.20"]),
        ("arda-01", Type.AAAA, ["fd00::20"]),
        ("argo.apps.arda", Type.A, ["192.168.1.80"]),
        ("a.b.apps.arda", Type.A, ["192.168.1.80"]),
        ("real.apps.arda", Type.A, ["192.168.1.81"]),
    ],
)
def test_addresses(label: str, kind: Type, addresses: list[str]) -> None:
    answer = found(label, kind)
    assert (answer.rcode, [str(record.data) for record in answer.answers]) == (Rcode.NOERROR, addresses)
    assert {record.name for record in answer.answers} == {under(label)}
    assert answer.authorities == ()


@pytest.mark.parametrize(
    ("label", "kind", "rcode"),
    [
        ("nobody", Type.A, Rcode.NXDOMAIN),
        ("below.arda-01", Type.A, Rcode.NXDOMAIN),
        ("arda-01", Type.TXT, Rcode.NOERROR),
        ("arda-01", 65, Rcode.NOERROR),  # HTTPS
        ("apps.arda", Type.A, Rcode.NOERROR),  # a name between others exists
        ("arda", Type.A, Rcode.NOERROR),
        ("_tcp.arda", Type.SRV, Rcode.NOERROR),
        ("argo.apps.arda", Type.AAAA, Rcode.NOERROR),
        ("below.real.apps.arda", Type.A, Rcode.NXDOMAIN),  # RFC 4592, 4.4: the wildcard ends at what is there
        ("x.apps.ainur", Type.A, Rcode.NXDOMAIN),
    ],
)
def test_a_no_comes_with_the_zones_start(label: str, kind: int, rcode: Rcode) -> None:
    answer = found(label, kind)
    assert (answer.rcode, answer.answers, answer.authorities) == (rcode, (), (START,))


def test_the_start_says_for_how_long_a_no_is_good() -> None:
    assert START.ttl == 5
    assert getattr(START.data, "minimum", None) == 5


def test_an_alias_comes_with_what_it_leads_to() -> None:
    answer = found("www")
    assert [(text_of(one.name), one.type) for one in answer.answers] == [
        ("www.lab.home.arpa", Type.CNAME),
        ("arda-01.lab.home.arpa", Type.A),
    ]
    assert [record.type for record in found("www", Type.CNAME).answers] == [Type.CNAME]


def test_an_alias_to_another_domain_says_what_is_to_be_asked_for() -> None:
    answer = found("out")
    assert (answer.elsewhere, len(answer.answers)) == (name_of("www.example.com"), 1)


def test_an_alias_to_nothing_says_so() -> None:
    answer = found("dead")
    assert (answer.rcode, len(answer.answers), answer.authorities) == (Rcode.NXDOMAIN, 1, (START,))


@pytest.mark.parametrize("label", ["ring", "chain0"])
def test_aliases_that_lead_on_and_on_end_in_a_failure(label: str) -> None:
    assert found(label).rcode is Rcode.SERVFAIL


def test_a_service_comes_with_its_servers_addresses() -> None:
    answer = found("_kubernetes._tcp.arda", Type.SRV)
    assert [str(record.data) for record in answer.additional] == ["192.168.1.20", "fd00::20"]


def test_any_is_answered_with_one_type_alone() -> None:
    assert [record.type for record in found("arda-01", Type.ANY).answers] == [Type.A]
    assert [record.type for record in found("www", Type.ANY).answers] == [Type.CNAME]
    assert found("apps.arda", Type.ANY).authorities == (START,)


def test_everything_says_where_it_comes_from() -> None:
    assert found("www").origin == "www.lab.home.arpa"
    assert found("argo.apps.arda").origin == "*.apps.arda.lab.home.arpa".replace("*", r"*")
