"""Answers as octets, read again by dnslib."""

from ipaddress import IPv4Address, IPv6Address

import dnslib
import pytest

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.message import Body, body_of
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query, read_query
from iluvatar_pxe.wire.dns.records import (
    body_followed_by,
    body_with,
    describe,
    rcode_name,
    type_name,
    type_of,
)
from iluvatar_pxe.wire.dns.reply import fault_of, reply_of
from iluvatar_pxe.wire.dns.types import Ede, Rcode, Record, Service, StartOfAuthority, Target, Text, Type

APEX = name_of("lab.home.arpa")
NAME = name_of("arda-01.lab.home.arpa")
ASKED = read_query(b"\x12\x34" + make_query(NAME, 1)[2:].replace(b"arda", b"ArDa"))
SOA = Record(APEX, Type.SOA, 5, StartOfAuthority(name_of("pxe.lab.home.arpa"), APEX, 7, 3600, 600, 86400, 5))
RECORDS = [
    Record(NAME, Type.A, 30, IPv4Address("192.168.1.20")),
    Record(NAME, Type.AAAA, 30, IPv6Address("fd00::20")),
    Record(NAME, Type.CNAME, 30, Target(name_of("other.example"))),
    Record(NAME, Type.PTR, 30, Target(APEX)),
    Record(NAME, Type.NS, 30, Target(APEX)),
    Record(NAME, Type.TXT, 30, Text((b"one two", b"three"))),
    Record(NAME, Type.SRV, 5, Service(0, 100, 6443, NAME)),
]
BODY = body_with(NAME, Rcode.NOERROR, RECORDS, [SOA])


def parsed(reply: bytes) -> dnslib.DNSRecord:
    return dnslib.DNSRecord.parse(reply)


def test_our_records_are_what_another_program_reads() -> None:
    reply = parsed(reply_of(ASKED, BODY, limit=1232, recursion=True))
    assert [" ".join(record.toZone().split()) for record in (*reply.rr, *reply.auth)] == [
        "ArDa-01.lab.home.arpa. 30 IN A 192.168.1.20",
        "ArDa-01.lab.home.arpa. 30 IN AAAA fd00::20",
        "ArDa-01.lab.home.arpa. 30 IN CNAME other.example.",
        "ArDa-01.lab.home.arpa. 30 IN PTR lab.home.arpa.",
        "ArDa-01.lab.home.arpa. 30 IN NS lab.home.arpa.",
        'ArDa-01.lab.home.arpa. 30 IN TXT "one two" "three"',
        "ArDa-01.lab.home.arpa. 5 IN SRV 0 100 6443 arda-01.lab.home.arpa.",
        "lab.home.arpa. 5 IN SOA pxe.lab.home.arpa. lab.home.arpa. 7 3600 600 86400 5",
    ]
    header = reply.header
    assert (header.id, header.aa, header.ra, header.rd, header.tc, header.rcode) == (0x1234, 1, 1, 1, 0, 0)
    assert str(reply.q.qname) == "ArDa-01.lab.home.arpa."


def test_an_answer_that_is_too_long_is_cut_and_says_so() -> None:
    whole = reply_of(ASKED, BODY, limit=1232, recursion=True)
    cut = reply_of(ASKED, BODY, limit=len(whole) - 1, recursion=True)
    assert len(reply_of(ASKED, BODY, limit=len(whole), recursion=True)) == len(whole)
    reply = parsed(cut)
    assert (reply.header.tc, len(reply.rr), len(reply.auth), len(reply.ar)) == (1, 0, 0, 1)


def test_what_was_remembered_counts_down_and_what_is_stale_is_given_half_a_minute() -> None:
    upstream = body_of(reply_of(ASKED, BODY, limit=1232, recursion=True))

    def ttls(age: int = 0, *, stale: bool = False) -> list[int]:
        reply = reply_of(ASKED, upstream, limit=1232, recursion=True, age=age, stale=stale)
        return [record.ttl for record in parsed(reply).rr]

    assert ttls() == [30, 30, 30, 30, 30, 30, 5]
    assert ttls(7) == [23, 23, 23, 23, 23, 23, 0]
    assert ttls(900, stale=True) == [30] * 7


def test_only_who_speaks_edns_is_told_more() -> None:
    plain = read_query(make_query(NAME, 1)[:10] + b"\0\0" + make_query(NAME, 1)[12:-11])
    body = Body(Rcode.REFUSED)
    assert not parsed(reply_of(plain, body, limit=512, recursion=False, error=Ede.PROHIBITED)).ar
    (opt,) = parsed(reply_of(ASKED, body, limit=512, recursion=False, error=Ede.PROHIBITED)).ar
    assert (opt.edns_len, [(option.code, option.data) for option in opt.rdata]) == (1232, [(15, b"\x00\x12")])


def test_who_asks_for_another_version_of_edns_is_told_which_there_is() -> None:
    query = make_query(NAME, 1)
    reply = parsed(fault_of(read_query(query[:-5] + b"\x01" + query[-4:])))
    assert (reply.header.rcode, reply.ar[0].edns_rcode, reply.ar[0].edns_ver) == (0, 1, 0)


def test_what_is_no_question_is_answered_with_a_header() -> None:
    reply = fault_of(read_query(b"\x12\x34\x01\x00" + bytes(8)))
    assert (len(reply), parsed(reply).header.rcode, parsed(reply).header.id) == (12, 1, 0x1234)


def test_answers_are_shown_as_lines_of_a_zone_file() -> None:
    reply = reply_of(ASKED, body_with(NAME, 0, RECORDS[:1]), limit=1232, recursion=True)
    assert describe(reply) == ["ArDa-01.lab.home.arpa. 30 IN A 192.168.1.20"]


@pytest.mark.parametrize(
    "record",
    ["A 192.0.2.1", 'TXT "one two"', "MX 10 mail.example.com.", "TYPE4711 \\# 2 abcd", 'CAA 0 issue "x"'],
)
def test_an_alias_is_followed_by_what_an_upstream_says_whatever_the_type(record: str) -> None:
    alias = Record(NAME, Type.CNAME, 60, Target(name_of("www.example.com")))
    upstream = dnslib.DNSRecord(dnslib.DNSHeader(qr=1), q=dnslib.DNSQuestion("www.example.com"))
    if record.startswith("TYPE"):
        upstream.add_answer(dnslib.RR("www.example.com", 4711, ttl=9, rdata=dnslib.RD(b"\xab\xcd")))
    else:
        upstream.add_answer(*dnslib.RR.fromZone(f"www.example.com. 9 {record}"))
    body = body_followed_by(NAME, [alias], bytes(upstream.pack()))
    told = parsed(reply_of(ASKED, body, limit=1232, recursion=True)).rr
    assert [told[0].rtype, told[1]] == [Type.CNAME, upstream.rr[0]]


@pytest.mark.parametrize("message", [b"", b"\0" * 11, bytes(4) + b"\0\1" + bytes(6) + b"\xff\xff"])
def test_what_cannot_be_shown_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        describe(message)
    assert body_followed_by(NAME, RECORDS[:1], message) == body_with(NAME, 0, RECORDS[:1])


@pytest.mark.parametrize(("text", "number"), [("a", 1), ("SRV", 33), ("HTTPS", 65), ("TYPE4711", 4711)])
def test_types_have_names(text: str, number: int) -> None:
    assert (type_of(text), type_of(type_name(number))) == (number, number)


@pytest.mark.parametrize("text", ["", "NOPE", "TYPE", "TYPEx", "__class__", "TYPE70000", "TYPE-1"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="record type"):
        type_of(text)


def test_response_codes_have_names() -> None:
    assert (rcode_name(3), rcode_name(14)) == ("NXDOMAIN", "RCODE14")
