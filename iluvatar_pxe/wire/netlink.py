"""What all messages of rtnetlink have in common: their header, their attributes and their errors.

Structures and numbers are those of linux/netlink.h and linux/rtnetlink.h (netlink(7), rtnetlink(7)), in the host's byte
order.
"""

import struct
from collections.abc import Iterator

from iluvatar_pxe.errors import WireError

NLMSGHDR = struct.Struct("=IHHII")
_RTATTR = struct.Struct("=HH")
_ERROR = struct.Struct("=i")

NLMSG_ERROR = 2
NLM_F_REQUEST = 1
_NLA_TYPE_MASK = 0x3FFF
AF_INET = 2
_ALIGNMENT = 4


def read_errno(body: bytes) -> int:
    """Return the errno in the body of a netlink error, 0 for none; raises WireError."""
    if len(body) < _ERROR.size:
        raise WireError("a netlink error without its number")
    (negative,) = _ERROR.unpack_from(body)
    return -int(negative)


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
