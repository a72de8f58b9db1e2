"""One question to one upstream that may be anything but honest."""

import asyncio
import socket
from collections.abc import AsyncIterator
from itertools import pairwise

import dnslib
import pytest
from support.liar import LOOPBACK, LOOPBACK_6, Liar, Say, answer
from support.ports import free_port

from iluvatar_pxe.dns.inquiry import Abilities
from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.servers.dns.exchange import ask_udp
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

QUERY = b"\xab\xcd" + make_query(name_of("www.example.com"), 1)[2:]
OTHER = make_query(name_of("www.example.net"), 1)
EVIL = "203.0.113.66"


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with Liar().listen() as running:
        yield running


def address_in(reply: bytes) -> str:
    return str(dnslib.DNSRecord.parse(reply).rr[0].rdata)


async def test_an_answer_comes_under_the_id_of_the_question(liar: Liar) -> None:
    reply = await ask_udp(liar.upstream, QUERY, 5, Abilities())
    assert (reply[:2], address_in(reply)) == (QUERY[:2], "192.0.2.1")


async def test_neither_ids_nor_ports_can_be_guessed(liar: Liar) -> None:
    await asyncio.gather(*(ask_udp(liar.upstream, QUERY, 5, Abilities()) for _ in range(200)))
    ids = [query[:2] for query, _ in liar.asked]
    ports = [port for _, port in liar.asked]
    for seen in (ids, ports):
        assert len(set(seen)) > 150
    steps = {int.from_bytes(after) - int.from_bytes(before) for before, after in pairwise(ids)}
    assert len(steps) > 150, "they do not follow each other"


def _wrong_id(query: bytes) -> bytes:
    return bytes([query[0] ^ 1]) + answer(query, EVIL)[1:]


@pytest.mark.parametrize(
    "say",
    [
        lambda query: [_wrong_id(query), answer(query)],
        lambda query: [query[:2] + answer(OTHER, EVIL)[2:], answer(query)],
        lambda query: [answer(query, EVIL)[:-3], answer(query)],
        lambda query: [b"", b"\xff" * 40, query, answer(query)],
        lambda query: [answer(query, EVIL, qr=0), answer(query)],
        lambda query: [answer(query), answer(query, EVIL)],
    ],
    ids=["id", "question", "cut short", "garbage", "a question", "twice"],
)
async def test_what_does_not_answer_the_question_is_ignored(liar: Liar, say: Say) -> None:
    liar.say = say
    assert address_in(await ask_udp(liar.upstream, QUERY, 5, Abilities())) == "192.0.2.1"


async def test_what_comes_from_another_address_is_not_taken(liar: Liar) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other, socket.socket(type=socket.SOCK_DGRAM) as port:
        other.bind(("127.0.0.9", liar.port))
        port.bind(("127.0.0.1", 0))

        def say(query: bytes) -> list[bytes]:
            for sock in (other, port):
                sock.sendto(answer(query, EVIL), ("127.0.0.1", liar.asked[-1][1]))
            return [answer(query)]

        liar.say = say
        assert address_in(await ask_udp(liar.upstream, QUERY, 5, Abilities())) == "192.0.2.1"


async def test_what_is_lost_is_sent_again(liar: Liar) -> None:
    liar.say = lambda query: [answer(query)] if len(liar.asked) > 1 else []
    assert address_in(await ask_udp(liar.upstream, QUERY, 5, Abilities())) == "192.0.2.1"


async def test_what_is_cut_off_is_asked_for_by_tcp_under_an_id_that_cannot_be_guessed(liar: Liar) -> None:
    liar.say = lambda query: [answer(query, tc=1)]
    reply = await ask_udp(liar.upstream, QUERY, 5, Abilities())
    assert (reply[:2], address_in(reply), len(liar.by_tcp)) == (QUERY[:2], "192.0.2.99", 1)
    assert liar.by_tcp[0] == liar.asked[0][0], "in the form that was answered"
    assert liar.by_tcp[0][:2] != QUERY[:2]


async def test_an_upstream_may_have_an_ipv6_address() -> None:
    async with Liar(address=LOOPBACK_6).listen() as liar:
        assert address_in(await ask_udp(liar.upstream, QUERY, 5, Abilities())) == "192.0.2.1"
        liar.say = lambda query: [answer(query, tc=1)]
        assert address_in(await ask_udp(liar.upstream, QUERY, 5, Abilities())) == "192.0.2.99"


async def _hang_up(_query: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x01\x00half")
    writer.close()


async def _drip(query: bytes, writer: asyncio.StreamWriter) -> None:
    reply = answer(query)
    for octet in len(reply).to_bytes(2) + reply[:-1]:
        writer.write(bytes([octet]))
        await writer.drain()


async def _lie(query: bytes, writer: asyncio.StreamWriter) -> None:
    reply = _wrong_id(query)
    writer.write(len(reply).to_bytes(2) + reply)


@pytest.mark.parametrize(
    ("talk", "why"),
    [(_hang_up, "it hung up"), (_drip, "no answer"), (_lie, "no answer")],
    ids=["hang up", "drip", "lie"],
)
async def test_a_stream_that_brings_no_answer_ends(liar: Liar, talk: object, why: str) -> None:
    liar.say = lambda query: [answer(query, tc=1)]
    liar.talk = talk  # type: ignore[assignment]
    with pytest.raises(ResolveError, match=why):
        await ask_udp(liar.upstream, QUERY, 0.5, Abilities())


async def test_silence_ends(liar: Liar) -> None:
    liar.say = lambda _query: []
    with pytest.raises(ResolveError, match=f"127.0.0.1:{liar.port}: no answer"):
        await ask_udp(liar.upstream, QUERY, 0.2, Abilities())


async def test_a_port_that_nobody_has_is_known_at_once() -> None:
    with pytest.raises(ResolveError, match="refused"):
        await ask_udp(Upstream(LOOPBACK, free_port()), QUERY, 30, Abilities())
