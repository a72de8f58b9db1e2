"""What upstreams say, written by dnslib and by hand."""

import random
import struct
from contextlib import suppress

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.message import addresses_in, body_of, is_answer, is_truncated, rcode_of
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query, read_query
from iluvatar_pxe.wire.dns.records import body_followed_by, describe
from iluvatar_pxe.wire.dns.reply import LONGEST_MESSAGE, reply_of

NAME = name_of("www.example.com")
QUESTION = make_query(NAME, 1)


def said(zone: str = "", *, authority: str = "", rcode: int = 0, qtype: str = "A", opt: bool = True) -> bytes:
    """Return an upstream's answer to ``QUESTION`` with these records of a zone file."""
    record = dnslib.DNSRecord(
        dnslib.DNSHeader(id=0, qr=1, rd=1, ra=1, rcode=rcode),
        q=dnslib.DNSQuestion("www.example.com", getattr(dnslib.QTYPE, qtype)),
    )
    record.add_answer(*dnslib.RR.fromZone(zone))
    record.add_auth(*dnslib.RR.fromZone(authority))
    if opt:
        record.add_ar(dnslib.EDNS0(udp_len=1232))
    return bytes(record.pack())


ADDRESS = "www.example.com. 300 A 192.0.2.1"
SOA = "example.com. 900 SOA ns.example.com. root.example.com. 1 2 3 4 60"


def test_an_answer_keeps_its_records_but_not_the_upstreams_edns() -> None:
    message = said("www.example.com. 300 CNAME web.example.com.\nweb.example.com. 60 A 192.0.2.1")
    body = body_of(message)
    assert (body.rcode, body.counts, body.ttl, body.authoritative) == (0, (2, 0, 0), 60, False)
    assert message[len(QUESTION) - 11 :].startswith(body.records)
    assert [struct.unpack_from("!I", body.records, offset)[0] for offset in body.ttls] == [300, 60]


@pytest.mark.parametrize(
    ("message", "ttl"),
    [
        (said(ADDRESS), 300),
        (said(ADDRESS.replace("300", "0")), 0),
        (said(ADDRESS.replace("300", "700000")), 86400),
        (said(ADDRESS.replace("300", "4000000000")), 0),  # RFC 2181, 8
        (said(authority=SOA), 60),
        (said(authority=SOA, rcode=3), 60),
        (said(authority=SOA.replace(" 900 ", " 20 "), rcode=3), 20),
        (said(authority=SOA.replace(" 60", " 90000").replace(" 900 ", " 90000 "), rcode=3), 3600),
        (said(rcode=3), 0),  # nobody says for how long
        (said(), 0),
        (said("www.example.com. 30 CNAME no.example.com.", authority=SOA, rcode=3), 30),
        (said("www.example.com. 300 CNAME no.example.com.", authority=SOA), 60),
        (said(ADDRESS, rcode=2), 0),
    ],
)
def test_an_answer_says_for_how_long_it_is_good(message: bytes, ttl: int) -> None:
    assert body_of(message).ttl == ttl


def test_records_behind_the_edns_record_are_left_out() -> None:
    message = bytearray(said(ADDRESS))
    message[10:12] = struct.pack("!H", 2)
    message += b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x01\x02\x03\x04"
    assert body_of(bytes(message)).counts == (1, 0, 0)


def test_records_of_unknown_types_pass_whole() -> None:
    unknown = b"\xc0\x0c\xff\xee\x00\x01\x00\x00\x00\x3c\x00\x03\xc0\xff\xee"
    empty = b"\xc0\x0c\xff\xef\x00\x01\x00\x00\x00\x3c\x00\x00"
    message = b"\0\0\x81\x80" + struct.pack("!HHHH", 1, 2, 0, 0) + QUESTION[12:-11] + unknown + empty
    assert is_answer(QUESTION, message)
    assert (body_of(message).records, body_of(message).ttl) == (unknown + empty, 60)


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (QUESTION, b"\0\1" + said(ADDRESS)[2:]),  # another id
        (QUESTION, said(ADDRESS)[:11]),
        (QUESTION, QUESTION),  # not an answer
        (QUESTION, said(ADDRESS, qtype="AAAA")),
        (make_query(name_of("www.example.net"), 1), said(ADDRESS)),
        (QUESTION, b"\0\0\x81\x80\0\0" + said(ADDRESS)[6:]),  # no question
        (QUESTION, said(ADDRESS)[:-12]),  # cut off
        (QUESTION, said(ADDRESS, opt=False)[:-16] + b"\xc0\xff" + said(ADDRESS, opt=False)[-14:]),
    ],
)
def test_what_does_not_answer_the_question_is_not_taken(query: bytes, reply: bytes) -> None:
    assert not is_answer(query, reply)


@pytest.mark.parametrize(
    ("message", "addresses"),
    [
        (said(ADDRESS + "\nwww.example.com. 60 AAAA fd00::1"), ["192.0.2.1", "fd00::1"]),
        (said("www.example.com. 60 CNAME a.example.com.\na.example.com. 60 A 10.0.0.1"), ["10.0.0.1"]),
        (said("www.example.com. 60 TXT 10.0.0.1", authority=SOA), []),
        (
            said(
                "www.example.com. 60 HTTPS 1 . alpn=h2 ipv4hint=10.0.0.1,192.168.1.1 ipv6hint=fd00::1",
                qtype="HTTPS",
            ),
            ["10.0.0.1", "192.168.1.1", "fd00::1"],
        ),
        (said("www.example.com. 60 HTTPS 0 web.example.com.", qtype="HTTPS"), []),
    ],
)
def test_an_answer_tells_the_addresses_that_it_leads_to(message: bytes, addresses: list[str]) -> None:
    assert [str(one) for one in addresses_in(message)] == addresses


def test_an_answer_is_one_in_any_case() -> None:
    assert is_answer(QUESTION, said(ADDRESS).replace(b"www", b"WwW"))


def test_the_header_tells_truncation_and_the_response_code() -> None:
    refused = said(rcode=5)
    assert (rcode_of(refused), is_truncated(refused)) == (5, False)
    bad_version = bytearray(said())
    bad_version[-6] = 1
    assert (rcode_of(bytes(bad_version)), body_of(bytes(bad_version)).rcode) == (16, 2), "no client's fault"
    assert is_truncated(refused[:2] + bytes([refused[2] | 2]) + refused[3:])


@given(st.binary(max_size=200))
def test_no_octets_behind_a_header_do_harm(rest: bytes) -> None:
    message = said(ADDRESS)[:12] + rest
    if is_answer(QUESTION, message):
        assert body_of(message).counts[0] == 1
    else:
        with pytest.raises(WireError):  # noqa: PT012 - it need not be broken to answer something else
            body_of(message)
            raise WireError("well-formed, but no answer")


def test_of_damaged_answers_those_that_are_taken_are_whole_and_stay_so() -> None:
    chance = random.Random(7)
    chain = "www.example.com. 300 CNAME a.example.com.\na.example.com. 60 A 192.0.2.1\na.example.com. 60 TXT hello"
    base, asked = said(chain, authority=SOA), read_query(QUESTION)
    taken = 0
    for _ in range(20_000):
        message = bytearray(base)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(2, len(message))
            message[place : place + chance.randint(0, 2)] = chance.choice(
                [b"", b"\xc0", b"\0", chance.randbytes(1)]
            )
        if is_answer(QUESTION, bytes(message)):
            taken += 1
            passed_on = reply_of(asked, body_of(bytes(message)), limit=LONGEST_MESSAGE, recursion=True, age=9)
            assert is_answer(QUESTION, passed_on)
            body_followed_by(asked.name, [], passed_on)
            with suppress(WireError):
                describe(passed_on)
    assert taken > 500
