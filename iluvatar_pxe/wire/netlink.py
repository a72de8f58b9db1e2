"""The kernel's neighbour table: a question for one IPv4 address to bytes, the answer's bytes to a frozen message.

Structures and numbers are those of linux/netlink.h, linux/rtnetlink.h and linux/neighbour.h (netlink(7), rtnetlink(7)),
in the host's byte order. Since Linux 5.0 the kernel answers for a single neighbour, so nothing is ever listed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address

from iluvatar_pxe.errors import WireError

LONGEST_ANSWER = 8192
"""Octets; no answer about one neighbour comes near it."""

NLMSGHDR = struct.Struct("=IHHII")
_NDMSG = struct.Struct("=BBHiHBB")
_RTATTR = struct.Struct("=HH")
_ERROR = struct.Struct("=i")

NLMSG_ERROR = 2
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
NLM_F_REQUEST = 1
_NDA_DST, _NDA_LLADDR = 1, 2
_NLA_TYPE_MASK = 0x3FFF
AF_INET = 2
_ALIGNMENT = 4


class NeighbourState(IntFlag):
    """``ndm_state``: how sure the kernel is of a neighbour (NUD_* in linux/neighbour.h)."""

    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80


KNOWN = int(
    NeighbourState.REACHABLE
    | NeighbourState.STALE
    | NeighbourState.DELAY
    | NeighbourState.PROBE
    | NeighbourState.PERMANENT
)
"""The states in which the neighbour itself, or a person, has told its link address."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry of the table. ``link_address`` is a MAC on Ethernet, and empty while the kernel has none.

    ``state`` is one of ``NeighbourState``, as a number: enumerations cost a microsecond at each request.
    """

    address: IPv4Address
    interface: int
    state: int
    link_address: bytes


@dataclass(frozen=True, slots=True)
class NeighbourAnswer:
    """What the kernel says to the question with this ``sequence``: a neighbour, or an errno, else 0."""

    sequence: int
    neighbour: Neighbour | None = None
    errno: int = 0


def encode_question(address: IPv4Address, interface: int, sequence: int) -> bytes:
    """Write RTM_GETNEIGH for ``address`` on the interface with this index; raises ValueError for no index.

    ``sequence`` comes back with the answer: ENOENT for an address that the table has not, ENODEV for an interface
    that is gone.
    """
    if interface <= 0:
        raise ValueError("the index of an interface is 1 or more")
    body = _NDMSG.pack(AF_INET, 0, 0, interface, 0, 0, 0)
    body += _RTATTR.pack(_RTATTR.size + 4, _NDA_DST) + address.packed
    return NLMSGHDR.pack(NLMSGHDR.size + len(body), _RTM_GETNEIGH, NLM_F_REQUEST, sequence, 0) + body


def decode_answer(data: bytes) -> NeighbourAnswer:
    """Read one datagram of a netlink socket; raises WireError when it is no answer to such a question."""
    if len(data) < NLMSGHDR.size:
        raise WireError(f"{len(data)} bytes, shorter than a netlink message")
    length, kind, _flags, sequence, _port = NLMSGHDR.unpack_from(data)
    if not NLMSGHDR.size <= length <= len(data):
        raise WireError(f"a netlink message of {length} bytes in {len(data)}")
    body = data[NLMSGHDR.size : length]
    if kind == NLMSG_ERROR:
        return NeighbourAnswer(sequence, errno=read_errno(body))
    if kind == _RTM_NEWNEIGH:
        return NeighbourAnswer(sequence, _neighbour(body))
    raise WireError(f"netlink message type {kind}, neither a neighbour nor an error")


def read_errno(body: bytes) -> int:
    """Return the errno in the body of a netlink error, 0 for none; raises WireError."""
    if len(body) < _ERROR.size:
        raise WireError("a netlink error without its number")
    (negative,) = _ERROR.unpack_from(body)
    return -int(negative)


def _neighbour(body: bytes) -> Neighbour:
    if len(body) < _NDMSG.size:
        raise WireError("a neighbour message cut off")
    family, _pad, _pad, interface, state, _flags, _type = _NDMSG.unpack_from(body)
    attributes = dict(attributes_of(body[_NDMSG.size :]))
    address = attributes.get(_NDA_DST, b"")
    if family != AF_INET or len(address) != 4:
        raise WireError("a neighbour without an IPv4 address")
    link_address = attributes.get(_NDA_LLADDR, b"")
    return Neighbour(IPv4Address(address), interface, state & 0xFF, link_address)


def attributes_of(field: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each attribute; raises WireError for one that overruns ``field``."""
    position = 0
    while position < len(field):
        if len(field) - position < _RTATTR.size:
            raise WireError("an attribute cut off")
        length, kind = _RTATTR.unpack_from(field, position)
        if not _RTATTR.size <= length <= len(field) - position:
            raise WireError("an attribute of impossible length")
        yield kind & _NLA_TYPE_MASK, field[position + _RTATTR.size : position + length]
        position += length + -length % _ALIGNMENT
