"""What the fleet's files say for DNS: the domain, its records, and where applications come in."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from support.fleets import ARDA, fleet_of

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.dns import DnsRecords, RecordName, Srv, Target
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.wire.dns.name import name_of

LABEL = "a" * 63
LONGEST = ".".join(["a" * 60, "b" * 59, "c" * 59])
"""A domain of 180 characters."""
FLEET = """
records:
  nas: {a: 192.168.1.5, aaaa: "FD00::5"}
  "@": {txt: "home lab"}
  wiki: {cname: NAS}
  media: {cname: www.Example.com.}
  "*.dev": {a: [192.168.1.6, 192.168.1.7, 192.168.1.6], txt: [Küche, ""]}
  _ldap._tcp: {srv: {weight: 5, port: 389, target: nas}}
  _sip._udp.x: {srv: [{port: 5060, target: a.b}, {priority: 9, port: 5061, target: c.}]}
  404: {a: 192.168.1.8}
"""


def record(lines: str) -> DnsRecords:
    """Return what a name with these lines has."""
    return parse_fleet({"fleet.yaml": f"records: {{nas: {{{lines}}}}}\n"}).settings.records["nas"]


def test_records() -> None:
    records = parse_fleet({"fleet.yaml": FLEET}).settings.records
    nas = records["nas"]
    assert (nas.a, nas.aaaa) == ((IPv4Address("192.168.1.5"),), (IPv6Address("fd00::5"),))
    assert (nas.cname, nas.txt, nas.srv) == (None, (), ())
    assert records["@"].txt == ("home lab",)
    assert (records["wiki"].cname, records["media"].cname) == ("nas", "www.example.com.")
    assert records["*.dev"].a == (IPv4Address("192.168.1.6"), IPv4Address("192.168.1.7"))
    assert records["*.dev"].txt == ("Küche", "")
    assert records["_ldap._tcp"].srv == (Srv(priority=0, weight=5, port=389, target="nas"),)
    assert [(one.priority, one.weight, one.target) for one in records["_sip._udp.x"].srv] == [
        (0, 0, "a.b"),
        (9, 0, "c."),
    ]
    assert "404" in records


def test_a_fleet_has_no_records_until_it_says_so() -> None:
    for text in ("", "records:\n#  nas: {a: 192.168.1.5}\n", "records: {}\n"):
        assert parse_fleet({"fleet.yaml": text}).settings.records == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.168.1.80", [IPv4Address("192.168.1.80")]),
        ('"fd00::80"', [IPv6Address("fd00::80")]),
        ('[192.168.1.80, "fd00::80"]', [IPv4Address("192.168.1.80"), IPv6Address("fd00::80")]),
        ("", []),
    ],
)
def test_applications_come_in_at_one_address_or_several(
    text: str, expected: list[IPv4Address | IPv6Address]
) -> None:
    fleet = fleet_of(arda=f"{ARDA}ingress: {text}\n", ainur=f"ingress: {text}\n")
    assert {name: list(layer.ingress) for name, layer in fleet.layers.items()} == dict.fromkeys(
        ("ainur", "arda"), expected
    )


@pytest.mark.parametrize(
    "domain",
    ["lab.home.arpa", "home.arpa", "x.test", "local.example", "home.mylocal", "1.2", LONGEST],
)
def test_domains(domain: str) -> None:
    assert parse_fleet({"fleet.yaml": f'domain: "{domain}"\n'}).settings.domain == domain


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        (
            "local",
            ".local belongs to multicast DNS (RFC 6762), resolvers such as systemd-resolved never ask ",
        ),
        ("home.local", ".local belongs to multicast DNS (RFC 6762), "),
        ("Origin.Local", "write a domain in lower case such as lab.home.arpa"),
        ("localhost", ".localhost always means the local host "),
        ("lab.localhost", ".localhost always means the local host "),
        ("lab.invalid", ".invalid is never looked up in DNS (RFC 6761)"),
        ("lab.onion", ".onion is never looked up in DNS (RFC 7686)"),
        ("1.168.192.in-addr.arpa", ".in-addr.arpa is for reverse lookups "),
        ("ip6.arpa", ".ip6.arpa is for reverse lookups "),
        ("arpa", "resolvers such as systemd-resolved ask no DNS server for single-label names; write two "),
        ("lab", "resolvers such as systemd-resolved ask no DNS server for single-label names; write two "),
        ("-lab.example", "write a domain in lower case "),
        ("lab-.example", "write a domain in lower case "),
        ("lab..example", "write a domain in lower case "),
        ("lab.example.", "write a domain in lower case "),
        ("my_lab.example", "write a domain in lower case "),
        ("läb.example", "write a domain in lower case "),
        (f"{LABEL}a.example", "write a domain in lower case "),
        (
            ".".join(["a" * 60, "b" * 60, "c" * 59]),
            "write a domain in lower case such as lab.home.arpa, of at ",
        ),
    ],
)
def test_domains_that_nobody_would_find(domain: str, reason: str) -> None:
    with pytest.raises(FleetError) as caught:
        parse_fleet({"fleet.yaml": f"\ndomain: {domain}\n"})
    (line,) = caught.value.findings
    assert line.startswith(f"fleet.yaml:2: domain: {reason}")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("a: 192.168.1", ".a: input is not a valid IPv4 address"),
        ('a: "fd00::5"', ".a: input is not a valid IPv4 address"),
        ("a: 5", ".a: write an IPv4 address such as "),
        ("a: []", ".a: write one value, or a list of up to 100"),
        (f"a: [{', '.join(['10.0.0.1'] * 101)}]", ".a: write one value, or a list of up to 100"),
        ("a: [10.0.0.1, x]", ".a.2: input is not a valid IPv4 address"),
        ("aaaa: 192.168.1.5", ".aaaa: write an IPv6 address such as fd00::5"),
        ("aaaa: 5", ".aaaa: write an IPv6 address such as fd00::5"),
        ('aaaa: "fe80::1%eth0"', ".aaaa: write an IPv6 address such as fd00::5"),
        ("cname: a b", ".cname: write a name of the domain such as nas, or a full name "),
        ('cname: "*.dev"', ".cname: write a name of the domain "),
        ('cname: "@"', ".cname: write a name of the domain "),
        ("cname: .", ".cname: write a name of the domain "),
        ("cname: [a, b]", ".cname: input should be a valid string"),
        (f"cname: {LABEL}a", ".cname: write a name of the domain "),
        (f"cname: _{LABEL}", ".cname: write a name of the domain "),
        ("txt: 42", ".txt: input should be a valid string; put it in quotes"),
        (f"txt: {'ü' * 2049}", ".txt: must not be longer than 4096 bytes; shorten it"),
        (
            f"txt: [{', '.join(f'{n:04}' * 1024 for n in range(9))}]",
            ".txt: must not have more than 32768 bytes",
        ),
        ("srv: nas", ".srv: has no keys; "),
        ("srv: {target: nas}", ".srv.port: is missing; add it"),
        ("srv: {port: 0, target: nas}", ".srv.port: input should be greater than or equal to 1"),
        ("srv: {port: 1, weight: 65536, target: nas}", ".srv.weight: input should be less than or equal to "),
        ("srv: [{port: 1, target: nas}, {port: 1, target: -}]", ".srv.2.target: write a name of the domain "),
        ("mx: mail", ".mx: no such key; "),
        ("", ": has no record; add a, aaaa, cname, txt or srv"),
        ("a: ~", ": has no record; "),
        (
            "cname: nasty, txt: x",
            ": a cname allows no other records (RFC 1034, 3.6.2); remove it or the others",
        ),
    ],
)
def test_faults_of_records(lines: str, fault: str) -> None:
    with pytest.raises(FleetError) as caught:
        record(lines)
    assert any(line.startswith(f"fleet.yaml:1: records.nas{fault}") for line in caught.value.findings)


@pytest.mark.parametrize("text", ["x" * 4096, "ü" * 2048, "", "a\\nb"])
def test_texts(text: str) -> None:
    assert record(f'txt: "{text}"').txt == (text.replace("\\n", "\n"),)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("@", True),
        ("*", True),
        ("*.a-b.c", True),
        ("_acme-challenge.1", True),
        (f"{LABEL}.{LABEL}", True),
        (f"{LABEL}a", False),
        (f"_{LABEL}", False),
        ("a.*", False),
        ("*a", False),
        ("@.a", False),
        ("Nas", False),
        ("a_b", False),
        ("-a", False),
        ("a-.b", False),
        ("_", False),
        ("a.", False),
        ("a..b", False),
        ("", False),
        ("ä", False),
        ("a\n", False),
    ],
)
def test_names_of_records(name: str, valid: bool) -> None:  # noqa: FBT001 - a table
    adapter = TypeAdapter[str](RecordName)
    if valid:
        assert adapter.validate_python(name) == name
        return
    with pytest.raises(ValidationError, match="write a name below the domain in lower case such as nas"):
        adapter.validate_python(name)


NAMES = st.lists(st.integers(1, 63).map("a".__mul__), min_size=1, max_size=5).map(".".join)


def is_name(text: str) -> bool:
    try:
        name_of(text)
    except ValueError:
        return False
    return True


@given(NAMES.filter(lambda name: len(name) <= 172), NAMES, NAMES)
def test_a_name_is_taken_if_it_fits_on_the_wire_with_the_domain(above: str, name: str, target: str) -> None:
    domain = f"{above}.example"
    fleet = f'domain: {domain}\nrecords: {{"_x.{name}": {{cname: {target}}}}}\n'
    if all(map(is_name, (f"_x.{name}.{domain}", f"{target}.{domain}"))):
        assert parse_fleet({"fleet.yaml": fleet}).settings.records
        return
    with pytest.raises(FleetError, match=r"fleet\.yaml:2: records: .+… is longer than 253 characters"):
        parse_fleet({"fleet.yaml": fleet})


@given(st.text())
def test_any_text_is_a_target_in_lower_case_or_none(text: str) -> None:
    try:
        target = TypeAdapter[str](Target).validate_python(text)
    except ValidationError:
        return
    assert target == text.lower()
    assert name_of(target) == name_of(text)
