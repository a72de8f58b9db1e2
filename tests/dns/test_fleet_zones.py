"""What the fleet's own zones say."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from support.fleets import ARDA, fleet_of

from iluvatar_pxe.dns.authority import Authority
from iluvatar_pxe.dns.fleet_zones import Facts, reverse_zones, zones_of
from iluvatar_pxe.dns.local import local_zones
from iluvatar_pxe.dns.members import Member
from iluvatar_pxe.dns.zone import Found
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.name import name_of, reverse_name, text_of
from iluvatar_pxe.wire.dns.query import make_query, read_query
from iluvatar_pxe.wire.dns.records import body_with, describe
from iluvatar_pxe.wire.dns.reply import reply_of
from iluvatar_pxe.wire.dns.types import Rcode, Text, Type

HERE = IPv4Address("192.168.1.2")
FLEET = """
domain: home.example
records:
  nas: {a: 192.168.1.5, aaaa: "fd00::5"}
  "@": {txt: the lab}
  wiki: {cname: nas}
  media: {cname: www.example.com.}
  printer: {cname: printer.local.}
  me: {cname: localhost.}
  "*.dev": {a: [192.168.1.6, 192.168.1.7]}
  _ldap._tcp: {srv: {weight: 5, port: 389, target: nas}}
"""


def leader(number: int) -> Member:
    return Member(f"arda-{number:02}", IPv4Address(f"192.168.1.{20 + number}"), "arda", leads=True)


MEMBERS = (
    leader(1),
    leader(2),
    Member("arda-03", IPv4Address("192.168.1.23"), "arda"),
    Member("arda-04", None, "arda"),
)


def facts(*alive: int, members: tuple[Member, ...] = MEMBERS) -> Facts:
    return Facts(
        fleet_of(fleet=FLEET, arda=f"{ARDA}ingress: [192.168.1.80, 'fd00::80']\n", ainur="servers: 1\n"),
        members,
        frozenset(IPv4Address(f"192.168.1.{20 + number}") for number in alive),
        (IPv4Interface("192.168.1.2/24"), IPv4Interface("10.0.0.2/8")),
    )


def ask(known: Facts, text: str, kind: int = Type.A) -> Found:
    name = (
        reverse_name(IPv4Address(text)) if kind == Type.PTR else name_of(f"{text}.home.example".lstrip("@."))
    )
    found = Authority({**local_zones(), **zones_of(known, 7, HERE)}).find(name, kind)
    assert found, f"nobody here answers for {text}"
    return found


def answers(known: Facts, text: str, kind: int = Type.A) -> list[str]:
    """Return the records as another program reads them, without the name that was asked for."""
    found = ask(known, text, kind)
    name = found.answers[0].name if found.answers else name_of("x")
    query = read_query(make_query(name, kind))
    lines = describe(reply_of(query, body_with(name, found.rcode, found.answers), limit=9999, recursion=True))
    return [line.removeprefix(f"{text_of(name)}. ").replace(" IN ", " ") for line in lines]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("arda-03", Type.A, ["30 A 192.168.1.23"]),
        ("pxe", Type.A, ["60 A 192.168.1.2"]),
        ("git", Type.A, ["60 A 192.168.1.2"]),
        ("nas", Type.A, ["60 A 192.168.1.5"]),
        ("nas", Type.AAAA, ["60 AAAA fd00::5"]),
        ("@", Type.TXT, ['60 TXT "the lab"']),
        ("@", Type.NS, ["60 NS pxe.home.example."]),
        ("@", Type.SOA, ["5 SOA pxe.home.example. hostmaster.home.example. 7 3600 600 86400 5"]),
        ("x.dev", Type.A, ["60 A 192.168.1.6", "60 A 192.168.1.7"]),
        ("_ldap._tcp", Type.SRV, ["60 SRV 0 5 389 nas.home.example."]),
        ("argo.apps.arda", Type.A, ["60 A 192.168.1.80"]),
        ("argo.apps.arda", Type.AAAA, ["60 AAAA fd00::80"]),
        ("192.168.1.23", Type.PTR, ["30 PTR arda-03.home.example."]),
        ("192.168.1.2", Type.PTR, ["30 PTR pxe.home.example."]),
        ("10.0.0.2", Type.PTR, ["30 PTR pxe.home.example."]),  # its other interface
    ],
)
def test_names_of_the_domain(text: str, kind: Type, expected: list[str]) -> None:
    assert answers(facts(1, 2), text, kind) == expected


def test_aliases_of_the_fleet_lead_within_it_or_elsewhere() -> None:
    assert answers(facts(), "wiki") == ["60 CNAME nas.home.example.", "nas.home.example. 60 A 192.168.1.5"]
    assert ask(facts(), "media").elsewhere == name_of("www.example.com")


@pytest.mark.parametrize(
    ("octets", "strings"),
    [(0, [0]), (255, [255]), (256, [255, 1]), (765, [255, 255, 255]), (4096, [255] * 16 + [16])],
)
def test_a_long_text_is_one_record_of_several_strings(octets: int, strings: list[int]) -> None:
    """RFC 7208, 3.3."""
    text = "v=DKIM1; p=" + "x" * 4096
    known = Facts(
        fleet_of(fleet=f'records: {{key: {{txt: "{text[:octets]}"}}}}'), interfaces=facts().interfaces
    )
    zone = zones_of(known, 7, HERE)[name_of("lab.home.arpa")]
    (record,) = zone.find(name_of("key.lab.home.arpa"), Type.TXT).answers
    assert isinstance(record.data, Text)
    assert [len(one) for one in record.data.strings] == strings
    assert b"".join(record.data.strings).decode() == text[:octets]


def test_an_alias_to_what_nobody_is_asked_for_stays_here() -> None:
    printer = ask(facts(), "printer")
    assert (printer.rcode, len(printer.answers), printer.elsewhere) == (Rcode.NXDOMAIN, 1, None)
    assert answers(facts(), "me") == [
        "60 CNAME localhost.",
        "localhost. 86400 IN A 127.0.0.1".replace(" IN ", " "),
    ]


@pytest.mark.parametrize(
    ("alive", "expected"),
    [
        ((1, 2), ["192.168.1.21", "192.168.1.22"]),
        ((2,), ["192.168.1.22"]),
        ((), ["192.168.1.21", "192.168.1.22"]),  # never empty while any is known
        ((3,), ["192.168.1.21", "192.168.1.22"]),  # no leader
    ],
)
def test_the_clusters_api_is_where_its_leaders_are_alive(alive: tuple[int, ...], expected: list[str]) -> None:
    assert answers(facts(*alive), "api.arda") == [f"5 A {address}" for address in expected]
    targets = [f"5 SRV 0 100 6443 arda-{int(address[-2:]) - 20:02}.home.example." for address in expected]
    assert answers(facts(*alive), "_kubernetes._tcp.arda", Type.SRV) == targets


@pytest.mark.parametrize(
    ("control_planes", "alive", "expected"),
    [
        (3, (1,), [21, 25]),
        (3, (), [21, 22, 25]),
        (1, (1,), [21]),  # as many as the layer wants have joined: another one is no part of the cluster
    ],
)
def test_a_young_clusters_api_is_also_where_its_control_planes_are_to_be(
    control_planes: int, alive: tuple[int, ...], expected: list[int]
) -> None:
    """Talos resolves it once, before the machines that it is to find have joined."""
    members = (
        *MEMBERS,
        replace(leader(5), leads=False, will_lead=True),
        Member("arda-06", None, "arda", will_lead=True),
    )
    layer = f"{ARDA}controlPlanes: {control_planes}\n"
    known = replace(facts(*alive, members=members), fleet=fleet_of(fleet=FLEET, arda=layer))
    assert answers(known, "api.arda") == [f"5 A 192.168.1.{number}" for number in expected]


def test_k3s_is_found_where_it_runs() -> None:
    members = (Member("ainur-01", IPv4Address("192.168.1.31"), "ainur", will_lead=True),)
    assert answers(facts(members=members), "api.ainur") == []


@pytest.mark.parametrize(
    ("text", "kind", "rcode"),
    [
        ("nobody", Type.A, Rcode.NXDOMAIN),
        ("arda-04", Type.A, Rcode.NOERROR),  # it has not told its address yet
        ("arda-03", Type.AAAA, Rcode.NOERROR),
        ("api.ainur", Type.A, Rcode.NOERROR),  # nothing has joined yet
        ("api", Type.A, Rcode.NXDOMAIN),
        ("argo.apps.ainur", Type.A, Rcode.NXDOMAIN),  # no ingress is declared
        ("192.168.1.99", Type.PTR, Rcode.NXDOMAIN),
    ],
)
def test_a_no_is_good_for_five_seconds_at_most(text: str, kind: Type, rcode: Rcode) -> None:
    found = ask(facts(1), text, kind)
    (start,) = found.authorities
    assert (found.rcode, found.answers, start.ttl, getattr(start.data, "minimum", None)) == (rcode, (), 5, 5)


@pytest.mark.parametrize(
    ("text", "kind", "origin"),
    [
        ("arda-03", Type.A, "machine arda-03"),
        ("api.arda", Type.A, "cluster arda"),
        ("nas", Type.A, "fleet"),
        ("git", Type.A, "this daemon"),
        ("192.168.1.23", Type.PTR, "machine arda-03"),
        ("192.168.1.2", Type.PTR, "this daemon"),
    ],
)
def test_every_answer_says_where_it_comes_from(text: str, kind: Type, origin: str) -> None:
    assert ask(facts(1), text, kind).origin == origin


def test_the_repository_may_be_hosted_elsewhere() -> None:
    elsewhere = Facts(facts().fleet, repository=IPv4Address("192.168.1.3"))
    assert answers(elsewhere, "git") == ["60 A 192.168.1.3"]
    assert answers(elsewhere, "pxe") == ["60 A 192.168.1.2"]


def test_the_default_domain_lies_within_one_that_is_nobodys() -> None:
    known = Facts(
        fleet_of(), MEMBERS, interfaces=(IPv4Interface("192.168.1.2/24"), IPv4Interface("10.0.0.2/8"))
    )
    assert name_of("lab.home.arpa") in zones_of(known, 1, HERE)


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("192.168.1.0/24", ["1.168.192.in-addr.arpa"]),
        ("10.0.0.0/8", ["10.in-addr.arpa"]),
        ("172.16.0.0/16", ["16.172.in-addr.arpa"]),
        ("192.168.4.0/23", ["4.168.192.in-addr.arpa", "5.168.192.in-addr.arpa"]),
        ("192.168.1.128/26", ["1.168.192.in-addr.arpa"]),
        ("192.168.1.7/32", ["1.168.192.in-addr.arpa"]),
        ("172.16.0.0/15", ["16.172.in-addr.arpa", "17.172.in-addr.arpa"]),
    ],
)
def test_networks_in_use_have_reverse_zones(network: str, zones: list[str]) -> None:
    assert [text_of(zone) for zone in reverse_zones(IPv4Network(network))] == zones
