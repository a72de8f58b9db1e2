"""The kernel's lists of links and of their IPv4 addresses: the questions to bytes, the answers' bytes to frozen values.

Structures and numbers are those of linux/netlink.h, linux/if_link.h and linux/if_addr.h (rtnetlink(7)), in the host's
byte order.
"""

import struct
from collections.abc import Iterator
from enum import IntFlag
from ipaddress import IPv4Address, IPv4Interface

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.netlink import (
    AF_INET,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    NLMSGHDR,
    attributes_of,
    read_errno,
)

LONGEST_PART = 65536
"""Bytes; the kernel splits a list into parts of at most 32 KiB."""
ETHERNET = 1
"""ARPHRD_ETHER of linux/if_arp.h; tunnels, PPP and serial lines have other types."""

_IFINFOMSG = struct.Struct("=BBHiII")
_IFADDRMSG = struct.Struct("=BBBBI")
_NLMSG_DONE = 3
_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR = 16, 18, 20, 22
_NLM_F_DUMP = 0x300
_IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_LINK_NETNSID = 3, 5, 10, 18, 37
_IFLA_INFO_KIND = 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFA_F_SECONDARY = 0x01
_NUMBER = struct.Struct("=i")
_ALIGNMENT = 4


class LinkFlag(IntFlag):
    """What matters of ``ifi_flags`` (IFF_* in linux/if.h)."""

    UP = 0x1
    BROADCAST = 0x2
    LOOPBACK = 0x8
    POINT_TO_POINT = 0x10
    NO_ARP = 0x80
    CARRIER = 0x10000
    """IFF_LOWER_UP: a cable with something at its other end."""


class Link(Struct, frozen=True, kw_only=True):
    """An interface. ``kind`` is the driver of a virtual one (``bridge``, ``vlan``, ``tun``), empty for a real NIC.

    ``lower`` is the index of the link that it runs on, and ``master`` that of the bridge or bond that it is a part of; 0
    where there is none in this network namespace.
    """

    index: int
    name: str
    type: int = ETHERNET
    flags: LinkFlag
    kind: str = ""
    master: int = 0
    lower: int = 0


class LinkAddress(Struct, frozen=True):
    """An IPv4 address of the link with this index."""

    index: int
    interface: IPv4Interface
    secondary: bool = False
    """There is an earlier one in the same network."""


class ListPart(Struct, frozen=True):
    """One datagram of an answer; ``done``: it is the last. ``errno`` is not 0 where there is no answer."""

    sequence: int
    links: tuple[Link, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    done: bool = False
    errno: int = 0


def encode_link_question(sequence: int) -> bytes:
    """Write RTM_GETLINK for all links; ``sequence`` comes back with each part of the answer."""
    return _question(_RTM_GETLINK, _IFINFOMSG.pack(0, 0, 0, 0, 0, 0), sequence)


def encode_address_question(sequence: int) -> bytes:
    """Write RTM_GETADDR for all IPv4 addresses."""
    return _question(_RTM_GETADDR, _IFADDRMSG.pack(AF_INET, 0, 0, 0, 0), sequence)


def decode_list_part(data: bytes) -> ListPart:
    """Read one datagram of an answer; raises WireError when it is none."""
    links: list[Link] = []
    addresses: list[LinkAddress] = []
    done, errno = False, 0
    messages = list(_messages(data))
    for kind, _, body in messages:
        if kind == _RTM_NEWLINK:
            links.append(_link(body))
        elif kind == _RTM_NEWADDR:
            addresses.append(_address(body))
        elif kind == NLMSG_ERROR:
            errno = read_errno(body)
        elif kind == _NLMSG_DONE:
            done = True
        else:
            raise WireError(f"netlink message type {kind}, neither a link nor an address")
    return ListPart(messages[0][1], tuple(links), tuple(addresses), done, errno)


def _question(kind: int, body: bytes, sequence: int) -> bytes:
    return NLMSGHDR.pack(NLMSGHDR.size + len(body), kind, NLM_F_REQUEST | _NLM_F_DUMP, sequence, 0) + body


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, sequence and body of each message; raises WireError for what is none, or of two answers."""
    position, expected = 0, None
    while position < len(data) or expected is None:
        if len(data) - position < NLMSGHDR.size:
            raise WireError("a netlink message cut off")
        length, kind, _flags, sequence, _port = NLMSGHDR.unpack_from(data, position)
        if not NLMSGHDR.size <= length <= len(data) - position:
            raise WireError(f"a netlink message of {length} bytes in {len(data) - position}")
        if expected not in {None, sequence}:
            raise WireError("parts of two answers in one datagram")
        expected = sequence
        yield kind, sequence, data[position + NLMSGHDR.size : position + length]
        position += length + -length % _ALIGNMENT


def _link(body: bytes) -> Link:
    if len(body) < _IFINFOMSG.size:
        raise WireError("a link cut off")
    _family, _pad, kind, index, flags, _change = _IFINFOMSG.unpack_from(body)
    attributes = dict(attributes_of(body[_IFINFOMSG.size :]))
    info = dict(attributes_of(attributes.get(_IFLA_LINKINFO, b"")))
    elsewhere = _IFLA_LINK_NETNSID in attributes
    return Link(
        index=index,
        name=_text(attributes.get(_IFLA_IFNAME, b"")),
        type=kind,
        flags=LinkFlag(flags & _KNOWN_FLAGS),
        kind=_text(info.get(_IFLA_INFO_KIND, b"")),
        master=_number(attributes.get(_IFLA_MASTER)),
        lower=0 if elsewhere else _number(attributes.get(_IFLA_LINK)),
    )


def _address(body: bytes) -> LinkAddress:
    if len(body) < _IFADDRMSG.size:
        raise WireError("an address cut off")
    family, prefix, flags, _scope, index = _IFADDRMSG.unpack_from(body)
    attributes = dict(attributes_of(body[_IFADDRMSG.size :]))
    own = attributes.get(
        _IFA_LOCAL, attributes.get(_IFA_ADDRESS, b"")
    )  # the latter is the peer's on a tunnel
    if family != AF_INET or len(own) != 4 or prefix > 32:
        raise WireError("a link's address that is no IPv4 address")
    return LinkAddress(index, IPv4Interface((IPv4Address(own), prefix)), bool(flags & _IFA_F_SECONDARY))


_KNOWN_FLAGS = sum(LinkFlag)


def _number(value: bytes | None) -> int:
    if value is None:
        return 0
    if len(value) != _NUMBER.size:
        raise WireError("an index of impossible length")
    return int(_NUMBER.unpack(value)[0])


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "surrogateescape")
