"""Questions, as clients write them and as nobody should."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.name import ROOT, name_of
from iluvatar_pxe.wire.dns.query import CD, Edns, Query, alike, make_query, read_query
from iluvatar_pxe.wire.dns.types import Rcode

NAME = b"\x07arda-01\x03lab\x04home\x04arpa\x00"
A_IN = b"\x00\x01\x00\x01"
HEADER = bytes.fromhex("1234 0100 0001 0000 0000 0000")
DIG = bytes.fromhex(
    "93a2 0120 0001 0000 0000 0001 03 474954 03 6c6162 04 686f6d65 04 61727061 00 0001 0001"
    "00 0029 04d0 00000000 000c 000a 0008 32f6bf2c3a3cd9d2"
)
"""Of dig 9.18: ``GIT.lab.home.arpa``, with a DNS cookie."""


def counts(questions: int, answers: int = 0, authorities: int = 0, additional: int = 0) -> bytes:
    return b"\x12\x34\x01\x00" + struct.pack("!HHHH", questions, answers, authorities, additional)


def test_what_dig_asks() -> None:
    query = read_query(DIG)
    assert (query.id, query.name, query.type, query.klass) == (0x93A2, name_of("git.lab.home.arpa"), 1, 1)
    assert query.asked == b"\x03GIT\x03lab\x04home\x04arpa\x00" + A_IN
    assert query.edns == Edns(size=1232, version=0, do=False)
    assert (query.recursive, query.fault, query.udp_limit) == (True, None, 1232)


def test_a_client_without_edns_gets_512_octets_and_no_client_more_than_1232() -> None:
    opt = b"\x00\x00\x29%b\x00\x00\x80\x00\x00\x00"
    plain = HEADER + NAME + A_IN
    sizes = {
        size: read_query(counts(1, 0, 0, 1) + NAME + A_IN + opt % size.to_bytes(2)) for size in (100, 4096)
    }
    assert read_query(plain).udp_limit == 512
    assert (sizes[100].udp_limit, sizes[4096].udp_limit, sizes[100].do) == (512, 1232, True)


@pytest.mark.parametrize("message", [b"", HEADER[:11], b"\x12\x34\x81\x00" + HEADER[4:] + NAME + A_IN])
def test_what_is_no_question_gets_no_answer(message: bytes) -> None:
    with pytest.raises(WireError):
        read_query(message)


OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (counts(0), Rcode.FORMERR),
        (counts(2) + NAME + A_IN + NAME + A_IN, Rcode.FORMERR),
        (counts(1, 1) + NAME + A_IN, Rcode.FORMERR),
        (counts(1) + NAME, Rcode.FORMERR),
        (counts(1) + NAME + A_IN[:3], Rcode.FORMERR),
        (counts(1) + b"\xc0\x0c" + A_IN, Rcode.FORMERR),
        (counts(1) + b"\x3fabc", Rcode.FORMERR),
        (counts(1, 0, 0, 1) + NAME + A_IN, Rcode.FORMERR),
        (counts(1, 0, 0, 1) + NAME + A_IN + OPT[:-1], Rcode.FORMERR),
        (counts(1, 0, 0, 2) + NAME + A_IN + OPT + OPT, Rcode.FORMERR),
        (counts(1, 0, 0, 1) + NAME + A_IN + b"\x01a" + OPT, Rcode.FORMERR),
        (counts(1, 0, 0, 1) + NAME + A_IN + OPT[:6] + b"\x01" + OPT[7:], Rcode.BADVERS),
        (b"\x12\x34\x28\x00" + HEADER[4:] + NAME + A_IN, Rcode.NOTIMP),  # an update
    ],
)
def test_a_faulty_question_is_answered_with_what_is_wrong(message: bytes, fault: Rcode) -> None:
    assert read_query(message).fault is fault


@given(st.binary(max_size=600))
def test_no_octets_do_harm(message: bytes) -> None:
    try:
        query = read_query(message)
    except WireError:
        return
    assert query.fault is not None or query.asked == message[12 : 12 + len(query.asked)]


def test_200000_mutated_questions_are_read_or_refused() -> None:
    chance = random.Random(6)
    bases = [DIG, make_query(NAME, 33, do=True), counts(1) + NAME + A_IN]
    outcomes = set()
    for _ in range(200_000):
        message = bytearray(chance.choice(bases))
        for _ in range(chance.randint(1, 4)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        try:
            outcomes.add(read_query(bytes(message[: chance.randint(0, 80)])).fault)
        except WireError:
            outcomes.add(Rcode.REFUSED)
    assert outcomes == {None, Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS, Rcode.REFUSED}


def _mutated(chance: random.Random, message: bytes) -> bytes:
    changed = bytearray(message)
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        place = chance.randrange(2, len(changed))
        changed[place] = chance.choice([changed[place] ^ 0x20, chance.randrange(256), 0])
    return bytes(changed[: chance.choice([len(changed)] * 9 + [chance.randrange(2, len(changed))])])


def test_questions_that_are_alike_are_the_same_but_for_spelling_and_options() -> None:
    """What lies ready for one question is sent to whoever asks alike, without a second look."""
    chance = random.Random(20)
    known: dict[bytes, Query] = {}
    bases = [DIG, DIG[:10] + b"\0\0" + DIG[12:-23], make_query(b"\1a\1Z\0", 65, do=True), make_query(ROOT, 2)]
    hits = 0
    for _ in range(100_000):
        message = _mutated(chance, chance.choice(bases))
        key, end = alike(message)
        try:
            query = read_query(message)
        except WireError:
            assert key not in known
            continue
        if other := known.get(key):
            hits += 1
            assert query.fault is None
            assert (query.name, query.type, query.klass, query.edns) == (
                other.name,
                other.type,
                other.klass,
                other.edns,
            )
            assert (query.recursive, query.flags & CD, len(query.asked)) == (
                other.recursive,
                other.flags & CD,
                end - 12,
            )
        elif (
            query.fault is None and end - 12 == len(query.asked) and (not query.edns) == (end == len(message))
        ):
            known[key] = query
    assert hits > 10_000


@pytest.mark.parametrize("option", [b"", b"\0\x0a\0\x08" + bytes(8), b"\0\x0c\0\2\0\0"])
def test_spelling_and_options_make_no_difference(option: bytes) -> None:
    asked = (
        counts(1, 0, 0, 1)
        + NAME.replace(b"arda", b"ArDa")
        + A_IN
        + OPT[:-2]
        + len(option).to_bytes(2)
        + option
    )
    assert alike(asked) == alike(counts(1, 0, 0, 1) + NAME + A_IN + OPT)
    assert alike(asked)[0] != alike(counts(1, 0, 0, 1) + NAME + A_IN + OPT[:-4] + b"\x80\0\0\0")[0]


def test_what_an_upstream_is_asked_is_read_back() -> None:
    query = read_query(make_query(NAME, 28, do=True, cd=True))
    assert (query.name, query.type, query.do, query.recursive, query.flags & 0x10) == (
        NAME,
        28,
        True,
        True,
        0x10,
    )
