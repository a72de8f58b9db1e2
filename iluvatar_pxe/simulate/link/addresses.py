"""IPv4 addresses of cards, set by netlink (rtnetlink(7)): a process of ``ip`` for each lease would take seconds for many."""

import os
import socket
import struct
import sys
from ipaddress import IPv4Address, IPv4Interface

from iluvatar_pxe.errors import SimulateError

_NLMSGHDR, _IFADDRMSG, _RTATTR = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("=HH")
_NLMSG_ERROR, _RTM_NEWADDR, _RTM_DELADDR = 2, 20, 21
_REQUEST, _ACK, _CREATE, _REPLACE = 0x01, 0x04, 0x400, 0x100
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_LONGEST_ANSWER = 8192


def set_address(card: str, address: IPv4Interface, before: IPv4Interface | None) -> None:
    """Give a card an address, and take the one away that it had. May block; raises SimulateError."""
    try:
        index = socket.if_nametoindex(card)
        if before is not None and before != address:
            _tell(message(_RTM_DELADDR, index, before, _REQUEST | _ACK))
        _tell(message(_RTM_NEWADDR, index, address, _REQUEST | _ACK | _CREATE | _REPLACE))
    except OSError as error:
        raise SimulateError(f"{card} cannot be given the address {address}: {error.strerror}") from error


def message(kind: int, index: int, address: IPv4Interface, flags: int) -> bytes:
    """Write RTM_NEWADDR or RTM_DELADDR."""
    body = _IFADDRMSG.pack(socket.AF_INET, address.network.prefixlen, 0, 0, index)
    for attribute, value in (
        (_IFA_LOCAL, address.ip.packed),
        (_IFA_ADDRESS, address.ip.packed),
        (_IFA_BROADCAST, IPv4Address(address.network.broadcast_address).packed),
    ):
        body += _RTATTR.pack(_RTATTR.size + len(value), attribute) + value
    return _NLMSGHDR.pack(_NLMSGHDR.size + len(body), kind, flags, 1, 0) + body


def _tell(request: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(request)
        answer = netlink.recv(_LONGEST_ANSWER)
    _, kind, *_ = _NLMSGHDR.unpack_from(answer)
    number = -int.from_bytes(answer[_NLMSGHDR.size : _NLMSGHDR.size + 4], sys.byteorder, signed=True)
    if kind == _NLMSG_ERROR and number:
        raise OSError(number, os.strerror(number))
