"""Answers as octets: the client's own question, what is known, and its EDNS."""

import struct

from iluvatar_pxe.wire.dns.message import LONGEST_TTL, Body
from iluvatar_pxe.wire.dns.query import AA, CD, HEADER, OPCODE, QR, RA, RD, TC, UDP_LIMIT, Query
from iluvatar_pxe.wire.dns.types import Ede, Rcode, Type

LONGEST_MESSAGE = 65535
"""Octets: what TCP's length can say (RFC 7766, 8)."""
STALE_TTL = 30
"""Seconds that the records of an answer are given which is kept beyond its time (RFC 8767, 4)."""
_TTL = struct.Struct("!I")
_OPT = struct.Struct("!BHHIH")
_EDE = struct.Struct("!HHH")
_EDE_OPTION = 15


def reply_of(
    query: Query,
    body: Body,
    *,
    limit: int,
    recursion: bool,
    age: int = 0,
    stale: bool = False,
    error: Ede | None = None,
) -> bytes:
    """Return an answer of at most ``limit`` octets; one that is longer is cut to nothing and marked TC (RFC 2181, 9).

    ``recursion`` says whether this client may have names asked for elsewhere; ``age`` in seconds is taken off the TTLs.
    """
    opt = _opt(query, body.rcode, error)
    whole = HEADER.size + len(query.asked) + len(body.records) + len(opt) <= limit
    flags = QR | query.flags & (OPCODE | RD | CD) | body.rcode & 0x0F
    flags |= AA if body.authoritative else 0
    flags |= RA if recursion else 0
    flags |= 0 if whole else TC
    answers, authorities, additional = body.counts if whole else (0, 0, 0)
    header = HEADER.pack(
        query.id, flags, 1 if query.asked else 0, answers, authorities, additional + (1 if opt else 0)
    )
    return header + query.asked + (_aged(body, age, stale=stale) if whole else b"") + opt


def fault_of(query: Query) -> bytes:
    """Return the answer to what is no question, or none that is understood."""
    body = Body(query.fault or Rcode.FORMERR)
    return reply_of(query, body, limit=LONGEST_MESSAGE, recursion=False)


def _aged(body: Body, age: int, *, stale: bool) -> bytes:
    if not body.ttls:
        return body.records
    records = bytearray(body.records)
    for offset in body.ttls:
        (ttl,) = _TTL.unpack_from(records, offset)
        left = max(min(ttl, LONGEST_TTL) - age, 0) if ttl < 1 << 31 else 0
        _TTL.pack_into(records, offset, STALE_TTL if stale else left)
    return bytes(records)


def _opt(query: Query, rcode: int, error: Ede | None) -> bytes:
    """Return the OPT record, which only who sent one gets (RFC 6891, 7)."""
    if query.edns is None:
        return b""
    options = _EDE.pack(_EDE_OPTION, 2, error) if error is not None else b""
    extended = rcode >> 4 << 24 | (0x8000 if query.edns.do else 0)
    return _OPT.pack(0, Type.OPT, UDP_LIMIT, extended, len(options)) + options
