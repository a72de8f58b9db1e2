"""What a client asks, read from its octets without building anything: this is done for every question."""

import struct

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.name import Name, read_name
from iluvatar_pxe.wire.dns.types import IN, Rcode, Type

HEADER = struct.Struct("!HHHHHH")
"""Id, flags, and how many questions, answers, authorities and additional records there are (RFC 1035, 4.1.1)."""
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPCODE = 0x7800
UDP_LIMIT = 1232
"""Octets of a datagram that no path fragments (dnsflagday.net/2020)."""
_PLAIN_LIMIT = 512
"""Octets for a client without EDNS (RFC 1035, 4.2.1)."""
_QUESTION_END = 5
"""Octets of the root's label, the type and the class."""
_RECORD = struct.Struct("!HHIH")
_OPT_OCTETS = 1 + _RECORD.size
_NO_OPTIONS = b"\0\0"
"""The length of an OPT record's data without any."""
_DO = 0x8000
_CASE = 0x20
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")
"""Lengths of labels are smaller than any of them."""


class Edns(Struct, frozen=True):
    """What the OPT record of a client says (RFC 6891); options, cookies among them, are not used (RFC 7873, 5.2.1)."""

    size: int
    version: int
    do: bool


class Query(Struct, frozen=True):
    """A question and how it was asked. ``fault`` is the answer to what is none: FORMERR, NOTIMP or BADVERS."""

    id: int
    flags: int
    asked: bytes = b""
    """Name, type and class in the client's spelling: the answer repeats it (0x20)."""
    name: Name = b""
    type: int = 0
    klass: int = 0
    edns: Edns | None = None
    fault: Rcode | None = None

    @property
    def recursive(self) -> bool:
        """Say whether the answer may be asked for elsewhere."""
        return bool(self.flags & RD)

    @property
    def do(self) -> bool:
        """Say whether signatures are wanted (RFC 3225)."""
        return self.edns is not None and self.edns.do

    @property
    def udp_limit(self) -> int:
        """Octets that an answer by UDP may have."""
        return min(max(self.edns.size, _PLAIN_LIMIT), UDP_LIMIT) if self.edns else _PLAIN_LIMIT


def read_query(message: bytes) -> Query:
    """Read a question; raises WireError for what nobody may answer: no header, or an answer."""
    if len(message) < HEADER.size:
        raise WireError("no DNS message: it is shorter than a header")
    number, flags, questions, answers, authorities, additional = HEADER.unpack_from(message)
    if flags & QR:
        raise WireError("an answer, not a question")
    if flags & OPCODE:
        return Query(number, flags, fault=Rcode.NOTIMP)
    if questions != 1 or answers:
        return Query(number, flags, fault=Rcode.FORMERR)
    try:
        name, end = read_name(message, HEADER.size)
        kind, klass = struct.unpack_from("!HH", message, end)
        edns = _read_edns(message, end + 4, authorities + additional)
    except (WireError, struct.error):
        return Query(number, flags, fault=Rcode.FORMERR)
    fault = Rcode.BADVERS if edns and edns.version else None
    return Query(number, flags, message[HEADER.size : end + 4], name, kind, klass, edns, fault)


def alike(message: bytes) -> tuple[bytes, int]:
    """Return what a question has in common with those that get the same answer, and where that question ends.

    That is all but the id, the case of the name, and the options: what is left is equal only where name, type, class,
    flags and OPT are, if one of the two was read without a fault. Nothing is in common where there is more than that.
    It is the message itself behind the id, where the name is in lower case and no option is there.
    """
    end = message.find(0, HEADER.size)
    behind = len(message) - end - _QUESTION_END
    if not behind:
        return message[2:end].lower() + message[end:], end + _QUESTION_END
    if message[end + 14 : end + 16] == (behind - 11 & 0xFFFF).to_bytes(2):
        return message[2:end].lower() + message[end : end + 14] + _NO_OPTIONS, end + _QUESTION_END
    return b"", 0


def _read_edns(message: bytes, offset: int, records: int) -> Edns | None:
    """Look for the OPT record; raises WireError, also for a second one (RFC 6891, 6.1.1)."""
    found: Edns | None = None
    for _ in range(records):
        name, offset = read_name(message, offset)
        kind, size, ttl, length = _RECORD.unpack_from(message, offset)
        offset += _RECORD.size + length
        if offset > len(message):
            raise WireError("a record ends behind the message")
        if kind == Type.OPT:
            if found or len(name) > 1:
                raise WireError("more than one OPT record, or one that is not the root's")
            found = Edns(size, ttl >> 16 & 0xFF, bool(ttl & _DO))
    return found


def without_edns(query: bytes) -> bytes:
    """Return a question of ``make_query`` without its OPT record, which is at its end."""
    return query[:10] + b"\0\0" + query[HEADER.size : -_OPT_OCTETS]


def wants_signatures(query: bytes) -> bool:
    """Say whether a question of ``make_query`` has DO (RFC 3225)."""
    return bool(int.from_bytes(query[-4:-2]) & _DO)


def in_random_case(query: bytes, chance: bytes) -> bytes:
    """Return a question whose name has each letter in upper case where a bit of ``chance`` (32 octets) is set."""
    _, end = read_name(query, HEADER.size)
    bits = int.from_bytes(chance)
    name = bytes(
        octet ^ _CASE if octet in _LETTERS and bits >> place & 1 else octet
        for place, octet in enumerate(query[HEADER.size : end])
    )
    return query[: HEADER.size] + name + query[end:]


def make_query(name: Name, kind: int, *, do: bool = False, cd: bool = False) -> bytes:
    """Return the question that an upstream is asked, with the id 0 and EDNS."""
    flags = RD | (CD if cd else 0)
    opt = b"\0" + _RECORD.pack(Type.OPT, UDP_LIMIT, _DO if do else 0, 0)
    return HEADER.pack(0, flags, 1, 0, 0, 1) + name + struct.pack("!HH", kind, IN) + opt
