"""Records of our own as octets, and answers as text for people: here, and only here, by dnslib."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import dnslib
from dnslib.bimap import BimapError
from dnslib.buffer import BufferError as DnslibBufferError
from dnslib.label import DNSLabelError

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns_message import Body
from iluvatar_pxe.wire.dns_name import ROOT, Name, labels_of
from iluvatar_pxe.wire.dns_query import HEADER
from iluvatar_pxe.wire.dns_types import IN, Data, Record, Service, StartOfAuthority, Target, Text, Type

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
    buffer = dnslib.DNSBuffer()
    buffer.pack(f"!{HEADER.size}x")
    buffer.encode_name(_label(name))
    buffer.pack(f"!{_QUESTION_OCTETS}x")
    start = buffer.offset
    sections = (answers, authorities, additional)
    for record in (record for section in sections for record in section):
        rr = dnslib.RR(_label(record.name), record.type, IN, record.ttl, _rdata(record.data, record.type))
        rr.pack(buffer)
    counts = len(answers), len(authorities), len(additional)
    return Body(rcode, counts, bytes(buffer.data[start:]), authoritative=True)


def describe(message: bytes) -> list[str]:
    """Return the records of an answer, each as a line of a zone file; raises WireError."""
    try:
        parsed = dnslib.DNSRecord.parse(message)
        return [" ".join(record.toZone().split()) for record in parsed.rr]
    except _FAULTS as error:
        raise WireError(f"an answer that cannot be shown: {error}") from error


def records_in(message: bytes) -> list[Record]:
    """Return the addresses and aliases that an upstream's message answers with; none where it cannot be read."""
    try:
        return [found for rr in dnslib.DNSRecord.parse(message).rr if (found := _record(rr))]
    except _FAULTS:
        return []


def _record(rr: dnslib.RR) -> Record | None:
    name = _name(rr.rname)
    match rr.rtype:
        case Type.A:
            return Record(name, Type.A, rr.ttl, IPv4Address(bytes(rr.rdata.data)))
        case Type.AAAA:
            return Record(name, Type.AAAA, rr.ttl, IPv6Address(bytes(rr.rdata.data)))
        case Type.CNAME:
            return Record(name, Type.CNAME, rr.ttl, Target(_name(rr.rdata.label)))
    return None


def _name(label: dnslib.DNSLabel) -> Name:
    return b"".join(bytes([len(part)]) + part for part in label.label).lower() + ROOT


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
