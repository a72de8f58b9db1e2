"""Upstreams and routers that fail EDNS, or change a name's case: stand-ins on loopback, one a row."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import dnslib
import pytest
from support.liar import Liar, Say, answer, failure

from iluvatar_pxe.dns.inquiry import Abilities
from iluvatar_pxe.servers.dns import exchange
from iluvatar_pxe.servers.dns.exchange import ask_udp
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

NAME = "www.long-enough-for-many-bits.example.com"
QUERY = make_query(name_of(NAME), 1)
BY_UDP, BY_TCP = "192.0.2.1", "192.0.2.99"
_EDNS_OCTETS = 11


def has_edns(query: bytes) -> bool:
    return bool(dnslib.DNSRecord.parse(query).ar)


def has_do(query: bytes) -> bool:
    return has_edns(query) and bool(dnslib.DNSRecord.parse(query).ar[0].edns_do)


def is_mixed(query: bytes) -> bool:
    return query[12:] != query[12:].lower()


def many(query: bytes, tc: int = 0) -> bytes:
    """Return an answer of more than 512 octets."""
    reply = dnslib.DNSRecord.parse(answer(query, tc=tc))
    for number in range(60):
        reply.add_answer(
            dnslib.RR(reply.q.qname, dnslib.QTYPE.A, ttl=60, rdata=dnslib.A(f"198.51.100.{number}"))
        )
    return bytes(reply.pack())


def header_of(query: bytes, rcode: int) -> bytes:
    return query[:2] + bytes([0x80, rcode]) + bytes(8)


def echoing(query: bytes, rcode: int) -> bytes:
    """Return a failure with the question's OPT record, or one with the ``rcode`` of 16 and more."""
    reply = dnslib.DNSRecord.parse(failure(query, rcode & 0xF))
    reply.add_ar(dnslib.EDNS0(udp_len=1232, ext_rcode=rcode >> 4))
    return bytes(reply.pack())


def opt_as_answer(query: bytes) -> bytes:
    """Return an answer with the OPT record behind it, counted among the answers."""
    plain = answer(query)
    return plain[:6] + b"\0\2" + plain[8:] + query[-_EDNS_OCTETS:]


def opt_named(query: bytes) -> bytes:
    """Return an answer whose OPT record has the question's name."""
    plain = answer(query)
    return plain[:10] + b"\0\1" + plain[12:] + b"\xc0\x0c" + query[-_EDNS_OCTETS + 1 :]


def opt_too_long(query: bytes) -> bytes:
    plain = answer(query)
    return plain[:10] + b"\0\1" + plain[12:] + query[-_EDNS_OCTETS:-2] + b"\xff\xff"


def with_edns(fault: Callable[[bytes], list[bytes]], honest: Callable[[bytes], bytes] = answer) -> Say:
    return lambda query: fault(query) if has_edns(query) else [honest(query)]


def cut(query: bytes) -> bytes:
    return many(query, tc=1)[:512]


@dataclass(frozen=True)
class Router:
    """How one answers, and how it is asked once that is known."""

    say: Say
    edns: bool = False
    mixed: bool = True
    address: str = BY_UDP
    query: bytes = QUERY


DO = make_query(name_of(NAME), 1, do=True)
ROUTERS = {
    "honest": Router(lambda query: [echoing_honestly(query)], edns=True),
    "knows no EDNS and passes over it": Router(lambda query: [answer(query)], edns=True),
    "drops EDNS": Router(with_edns(lambda _query: [])),
    "FORMERR, a header alone": Router(with_edns(lambda query: [header_of(query, 1)])),
    "FORMERR": Router(with_edns(lambda query: [failure(query, 1)])),
    "FORMERR with the OPT record": Router(with_edns(lambda query: [echoing(query, 1)])),
    "NOTIMP, a header alone": Router(with_edns(lambda query: [header_of(query, 4)])),
    "NOTIMP": Router(with_edns(lambda query: [failure(query, 4)])),
    "SERVFAIL": Router(with_edns(lambda query: [failure(query, 2)])),
    "REFUSED": Router(with_edns(lambda query: [failure(query, 5)])),
    "BADVERS": Router(with_edns(lambda query: [echoing(query, 16)])),
    "the OPT record as an answer": Router(with_edns(lambda query: [opt_as_answer(query)])),
    "the OPT record of another name": Router(with_edns(lambda query: [opt_named(query)])),
    "the OPT record longer than the message": Router(with_edns(lambda query: [opt_too_long(query)])),
    "the OPT record twice": Router(lambda query: [twice(query)], edns=True),
    "truncates at 512": Router(lambda query: [answer(query, tc=1)], edns=True, address=BY_TCP),
    "truncates within a record": Router(lambda query: [cut(query)], edns=True, address=BY_TCP),
    "cuts at 512 and does not say so": Router(
        with_edns(lambda query: [many(query)[:512]], lambda query: answer(query, tc=1)), address=BY_TCP
    ),
    "drops what is long": Router(
        with_edns(lambda _query: [], lambda query: answer(query, tc=1)), address=BY_TCP
    ),
    "drops DO": Router(lambda query: [] if has_do(query) else [answer(query)], query=DO),
    "drops DO, and is not asked with it": Router(
        lambda query: [] if has_do(query) else [answer(query)], edns=True
    ),
    "lower case": Router(lambda query: [answer(lowered(query))], edns=True, mixed=False),
    "another case": Router(
        lambda query: [answer(query.replace(name_in(query), name_in(query).swapcase()))],
        edns=True,
        mixed=False,
    ),
    "drops random case": Router(
        lambda query: [] if is_mixed(query) else [answer(query)], edns=True, mixed=False
    ),
    "FORMERR, and lower case": Router(
        with_edns(lambda query: [header_of(query, 1)], lambda query: answer(lowered(query))), mixed=False
    ),
}


def name_in(query: bytes) -> bytes:
    return query[12 : 12 + len(NAME) + 1]


def lowered(query: bytes) -> bytes:
    return query[:12] + query[12:].lower()


def echoing_honestly(query: bytes) -> bytes:
    reply = dnslib.DNSRecord.parse(answer(query))
    if has_edns(query):
        reply.add_ar(dnslib.EDNS0(udp_len=1232))
    return bytes(reply.pack())


def twice(query: bytes) -> bytes:
    reply = dnslib.DNSRecord.parse(echoing_honestly(query))
    reply.add_ar(dnslib.EDNS0(udp_len=1232))
    return bytes(reply.pack())


@pytest.fixture
async def liar(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Liar]:
    monkeypatch.setattr(exchange, "RESEND", (0.1, 0.1))
    monkeypatch.setattr(exchange, "SIDE_BY_SIDE", 0.05)
    async with Liar().listen() as running:
        yield running


async def ask(liar: Liar, abilities: Abilities, query: bytes = QUERY) -> str:
    reply = await ask_udp(liar.upstream, query, 5, abilities)
    return str(dnslib.DNSRecord.parse(reply).rr[0].rdata)


@pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)
async def test_names_resolve_behind_it_and_it_is_soon_asked_at_once_as_it_likes(
    liar: Liar, router: Router
) -> None:
    liar.say = router.say
    abilities = Abilities()
    for _ in range(2):
        assert await ask(liar, abilities, router.query) == router.address
    liar.asked.clear()
    assert await ask(liar, abilities, router.query) == router.address
    ((query, _),) = liar.asked
    assert (has_edns(query), is_mixed(query)) == (router.edns, router.mixed)


@pytest.mark.parametrize("lost", [3, 6])
async def test_an_outage_takes_nothing_from_an_upstream_that_copes(liar: Liar, lost: int) -> None:
    abilities = Abilities()
    await ask(liar, abilities)
    liar.asked.clear()
    liar.say = lambda query: [answer(query)] if len(liar.asked) > lost else []
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask(liar, abilities))
    liar.asked.clear()
    liar.say = Liar().say
    await ask(liar, abilities)
    ((query, _),) = liar.asked
    assert (has_edns(query), is_mixed(query)) == (True, True)
