"""Records of our own as octets, and answers as text for people: here, and only here, by dnslib."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import dnslib
from dnslib.bimap import BimapError
from dnslib.buffer import BufferError as DnslibBufferError
from dnslib.label import DNSLabelError

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.name import Name, labels_of
from iluvatar_pxe.wire.dns.query import HEADER
from iluvatar_pxe.wire.dns.types import IN, Data, Rcode, Record, Service, StartOfAuthority, Target, Text, Type

_QUESTION_OCTETS = 4
_TARGETS = {Type.NS: dnslib.NS, Type.CNAME: dnslib.CNAME, Type.PTR: dnslib.PTR}
_FAULTS = (dnslib.DNSError, DnslibBufferError, BimapError, DNSLabelError, RecursionError, ValueError)
"""What dnslib raises for octets that are no message; a chain of thousands of pointers makes it recurse."""


def body_with(
    name: Name,
    rcode: int,
    answers: Sequence[Record] = (),
    authorities: Sequence[Record] = (),
    additional: Sequence[Record] = (),
) -> Body:
    """Return what an authority says behind the question for ``name``."""
    return _packed(name, rcode, *(list(map(_rr, section)) for section in (answers, authorities, additional)))


def body_followed_by(name: Name, answers: Sequence[Record], message: bytes) -> Body:
    """Return our aliases, and behind them what an upstream's message says of the name that they lead to.

    What cannot be read of it is left out: the client asks for that name itself then.
    """
    try:
        rest = dnslib.DNSRecord.parse(message)
        return _packed(name, rest.header.rcode, [*map(_rr, answers), *rest.rr], rest.auth, [])
    except _FAULTS:
        return body_with(name, Rcode.NOERROR, answers)


def _packed(
    name: Name,
    rcode: int,
    answers: list[dnslib.RR],
    authorities: list[dnslib.RR],
    additional: list[dnslib.RR],
) -> Body:
    buffer = dnslib.DNSBuffer()
    buffer.pack(f"!{HEADER.size}x")
    buffer.encode_name(_label(name))
    buffer.pack(f"!{_QUESTION_OCTETS}x")
    start = buffer.offset
    for rr in (*answers, *authorities, *additional):
        rr.pack(buffer)
    counts = len(answers), len(authorities), len(additional)
    return Body(rcode, counts, bytes(buffer.data[start:]), authoritative=True)


def _rr(record: Record) -> dnslib.RR:
    return dnslib.RR(_label(record.name), record.type, IN, record.ttl, _rdata(record.data, record.type))


def describe(message: bytes) -> list[str]:
    """Return the records of an answer, each as a line of a zone file; raises WireError."""
    try:
        parsed = dnslib.DNSRecord.parse(message)
        return [" ".join(record.toZone().split()) for record in parsed.rr]
    except _FAULTS as error:
        raise WireError(f"an answer that cannot be shown: {error}") from error


def type_of(text: str) -> int:
    """Return the number of a record type, from its name or ``TYPE123`` (RFC 3597, 5); raises ValueError."""
    try:
        number: int = getattr(dnslib.QTYPE, text.upper())
    except (dnslib.DNSError, AttributeError):
        number = 0
    if not 0 < number < 1 << 16:
        raise ValueError(f"{text!r} is no record type; write one such as A, AAAA, SRV or TXT")
    return number


def type_name(number: int) -> str:
    """Return the name of a record type, ``TYPE123`` for one that has none."""
    return str(dnslib.QTYPE[number])


def rcode_name(number: int) -> str:
    """Return the name of a response code, such as ``NXDOMAIN``."""
    return str(dnslib.RCODE.get(number, f"RCODE{number}"))


def _label(name: Name) -> dnslib.DNSLabel:
    return dnslib.DNSLabel(labels_of(name))


def _rdata(data: Data, kind: Type) -> dnslib.RD:
    match data:
        case IPv4Address():
            return dnslib.A(str(data))
        case IPv6Address():
            return dnslib.AAAA(str(data))
        case Target(name):
            return _TARGETS[kind](_label(name))
        case Text(strings):
            return dnslib.TXT(list(strings))
        case Service(priority, weight, port, target):
            return dnslib.SRV(priority, weight, port, _label(target))
        case StartOfAuthority(primary, mailbox):
            return dnslib.SOA(_label(primary), _label(mailbox), _times(data))


def _times(data: StartOfAuthority) -> tuple[int, int, int, int, int]:
    return data.serial, data.refresh, data.retry, data.expire, data.minimum
