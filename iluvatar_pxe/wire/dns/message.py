"""What an upstream says: whether it answers the question, for how long that is good, and where its parts are.

DnsRecords are passed on as they came, so that types which nobody here knows arrive whole (RFC 3597).
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.name import ROOT, read_name
from iluvatar_pxe.wire.dns.query import HEADER, OPCODE, QR, TC
from iluvatar_pxe.wire.dns.types import TELLING, Rcode, Type

LONGEST_TTL = 86400
"""Seconds; what claims to be good for longer is asked for again after a day (RFC 8767, 4)."""
LONGEST_NO = 3600
"""Seconds for which a "no" is kept at most (RFC 2308, 5)."""
_RECORD = struct.Struct("!HHIH")
_TTL_OFFSET = 4
_DATA_OFFSET = 6
"""From a record's TTL to its data."""
_IPV4_OCTETS, _IPV6_OCTETS = 4, 16
_PRIORITY = 2
"""Octets of a service binding before its target (RFC 9460, 2.2)."""
_PARAMETER = struct.Struct("!HH")
_HINTS = {4: _IPV4_OCTETS, 6: _IPV6_OCTETS}
"""Octets of each address in the parameters ipv4hint and ipv6hint."""
_ADDITIONAL = 2
"""Number of that section, after answers and authorities."""
_LONGEST_RCODE = 15
"""Of a header. What goes beyond concerns an upstream and this daemon, whose client may have no EDNS."""
_RRSIG = 46


class Body(Struct, frozen=True):
    """What follows the question in an answer, ready to send behind every spelling of the same name."""

    rcode: int
    counts: tuple[int, int, int] = (0, 0, 0)
    """Answers, authorities and additional records."""
    records: bytes = b""
    """Pointers in it count from the beginning of the message, so the question before it always has the same length."""
    ttls: tuple[int, ...] = ()
    """Where in ``records`` those TTLs are that count down."""
    ttl: int = 0
    """Seconds for which it is good."""
    authoritative: bool = False

    @property
    def failed(self) -> bool:
        """Say whether it tells neither that there is something, nor that there is nothing."""
        return self.rcode not in TELLING


class _Place(Struct, frozen=True):
    section: int
    type: int
    ttl: int
    ttl_offset: int
    end: int


def rcode_of(message: bytes) -> int:
    """Return the response code of a message, with the part that its OPT record holds (RFC 6891, 6.1.3); raises WireError."""
    opts = (place for place in _places(message) if place.type == Type.OPT)
    return next((_extended(message, opt) for opt in opts), 0) | message[3] & 0x0F


def _extended(message: bytes, opt: _Place) -> int:
    return message[opt.ttl_offset] << 4


def is_truncated(message: bytes) -> bool:
    """Say whether a message was cut off (TC)."""
    return bool(message[2] << 8 & TC)


def is_reply(message: bytes) -> bool:
    """Say whether a message is long enough for a header, and answers something."""
    return len(message) >= HEADER.size and bool(message[2] << 8 & QR)


def repeats_question(query: bytes, reply: bytes) -> bool:
    """Say whether a message answers this very question, id included (RFC 5452, 9.1), in any case."""
    if not is_reply(reply) or reply[:2] != query[:2]:
        return False
    flags, questions = struct.unpack_from("!HH", reply, 2)
    if flags & OPCODE or questions != 1:
        return False
    try:
        asked, end = read_name(query, HEADER.size)
        answered, reply_end = read_name(reply, HEADER.size)
    except WireError:
        return False
    return (asked, query[end : end + 4]) == (answered, reply[reply_end : reply_end + 4]) and end == reply_end


def repeats_spelling(query: bytes, reply: bytes) -> bool:
    """Say whether an answer has the question's name in the same case (0x20)."""
    _, end = read_name(query, HEADER.size)
    return query[HEADER.size : end] == reply[HEADER.size : end]


def is_answer(query: bytes, reply: bytes) -> bool:
    """Say whether a message answers this very question, and is whole."""
    if not repeats_question(query, reply):
        return False
    try:
        for _ in _places(reply):
            pass
    except WireError:
        return False
    return True


def body_of(message: bytes) -> Body:
    """Return what follows the question in an upstream's answer, without its OPT record; raises WireError."""
    _, end = read_name(message, HEADER.size)
    start = end + 4
    kept: list[_Place] = []
    rcode = message[3] & 0x0F
    for place in _places(message):
        if place.type == Type.OPT:
            rcode |= _extended(message, place)
            break  # what is behind it may point into it
        kept.append(place)
    counts = [sum(place.section == section for place in kept) for section in range(3)]
    return Body(
        rcode=rcode if rcode <= _LONGEST_RCODE else Rcode.SERVFAIL,
        counts=(counts[0], counts[1], counts[2]),
        records=message[start : kept[-1].end] if kept else b"",
        ttls=tuple(place.ttl_offset - start for place in kept),
        ttl=_ttl(message, rcode, kept),
    )


def addresses_in(message: bytes) -> Iterator[IPv4Address | IPv6Address]:
    """Return the addresses that an answer leads to: of A and AAAA records, and hints (RFC 9460, 7.3); raises WireError."""
    for place in _places(message):
        if place.section == 0:
            data = message[place.ttl_offset + _DATA_OFFSET : place.end]
            match place.type:
                case Type.A | Type.AAAA:
                    yield from _addresses(data)
                case Type.SVCB | Type.HTTPS:
                    yield from _hints(data)


def _hints(data: bytes) -> Iterator[IPv4Address | IPv6Address]:
    if len(data) <= _PRIORITY:
        raise WireError("a service binding ends before its target")
    _, offset = read_name(bytes(HEADER.size) + data[_PRIORITY:], HEADER.size)
    offset += _PRIORITY - HEADER.size
    while offset + _PARAMETER.size <= len(data):
        key, length = _PARAMETER.unpack_from(data, offset)
        offset += _PARAMETER.size + length
        if octets := _HINTS.get(key):
            values = data[offset - length : offset]
            for start in range(0, len(values), octets):
                yield from _addresses(values[start : start + octets])


def _addresses(octets: bytes) -> Iterator[IPv4Address | IPv6Address]:
    """Return the address that octets are; none where their number is another, which no reader takes for one."""
    if len(octets) == _IPV4_OCTETS:
        yield IPv4Address(octets)
    elif len(octets) == _IPV6_OCTETS:
        yield IPv6Address(octets)


def _places(message: bytes) -> Iterator[_Place]:
    """Walk over the records; raises WireError, also for an OPT record that is none (RFC 6891, 6.1.1)."""
    _, _, questions, *counts = HEADER.unpack_from(message)
    offset = HEADER.size
    for _ in range(questions):
        _, offset = read_name(message, offset)
        offset += 4
    for section, count in enumerate(counts):
        for _ in range(count):
            owner, offset = read_name(message, offset)
            if offset + _RECORD.size > len(message):
                raise WireError("a record ends behind the message")
            kind, _, ttl, length = _RECORD.unpack_from(message, offset)
            end = offset + _RECORD.size + length
            if end > len(message):
                raise WireError("a record ends behind the message")
            if kind == Type.OPT and (section != _ADDITIONAL or owner != ROOT):
                raise WireError("an OPT record that is not the root's, or not among the additional records")
            yield _Place(section, kind, _sane(ttl), offset + _TTL_OFFSET, end)
            offset = end


def _sane(ttl: int) -> int:
    """Return a TTL as it counts: one with the highest bit is none (RFC 2181, 8)."""
    return 0 if ttl >> 31 else min(ttl, LONGEST_TTL)


def _ttl(message: bytes, rcode: int, places: list[_Place]) -> int:
    """Return for how long an answer is good; a "no" without an SOA is not kept (RFC 2308, 5)."""
    answers = [place for place in places if place.section == 0]
    starts = [place for place in places if place.section == 1 and place.type == Type.SOA]
    times = [place.ttl for place in answers]
    if rcode == Rcode.NXDOMAIN or not answers or (starts and _only_aliases(answers)):
        times += [_no(message, place) for place in starts] or [0]
    return min(times) if rcode in TELLING else 0


def _only_aliases(answers: list[_Place]) -> bool:
    """Say whether a chain of CNAMEs ends in nothing; signatures may lie between them."""
    return all(place.type in {Type.CNAME, _RRSIG} for place in answers)


def _no(message: bytes, start: _Place) -> int:
    """Return how long a "no" with this SOA is good: its TTL or its last field, whichever is less."""
    (minimum,) = struct.unpack_from("!I", message, start.end - 4)
    return min(start.ttl, _sane(minimum), LONGEST_NO)
