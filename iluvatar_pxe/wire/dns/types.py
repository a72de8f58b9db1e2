"""The numbers of DNS by their names (RFC 1035, 3.2; IANA, "Domain Name System Parameters"), and what records hold."""

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from msgspec import Struct

from iluvatar_pxe.wire.dns.name import Name


class Type(IntEnum):
    """Types of records and questions that are treated on their own; all others pass as they are (RFC 3597)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    DS = 43
    SVCB = 64
    HTTPS = 65
    IXFR = 251
    AXFR = 252
    ANY = 255


class Rcode(IntEnum):
    """Response codes."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


TELLING = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN})
"""What tells that there is something, or nothing; all others are failures."""


class Ede(IntEnum):
    """Extended errors: why an answer is as it is (RFC 8914)."""

    STALE_ANSWER = 3
    BLOCKED = 15
    PROHIBITED = 18
    NO_REACHABLE_AUTHORITY = 22


IN = 1
"""The class of the Internet."""


class Target(Struct, frozen=True):
    """RDATA of NS, CNAME and PTR: another name."""

    name: Name


class Text(Struct, frozen=True):
    """RDATA of TXT: strings of up to 255 octets."""

    strings: tuple[bytes, ...]


class Service(Struct, frozen=True):
    """RDATA of SRV (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: Name


class StartOfAuthority(Struct, frozen=True):
    """RDATA of SOA (RFC 1035, 3.3.13): times in seconds; ``minimum`` is how long a "no" may be kept (RFC 2308, 4)."""

    primary: Name
    mailbox: Name
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


Data: TypeAlias = IPv4Address | IPv6Address | Target | Text | Service | StartOfAuthority


class Record(Struct, frozen=True):
    """One record of class IN; ``ttl`` in seconds."""

    name: Name
    type: Type
    ttl: int
    data: Data
