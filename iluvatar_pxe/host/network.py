"""This host's links, IPv4 addresses and default routes, as the kernel lists them now."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.auto import HostNetwork
from iluvatar_pxe.host.routes import ROUTES, parse_default_routes
from iluvatar_pxe.wire.links import (
    LONGEST_PART,
    ListPart,
    decode_list_part,
    encode_address_question,
    encode_link_question,
)

_CLASS_NET = Path("/sys/class/net")
_WIRELESS = ("wireless", "phy80211")
"""What a wireless interface has in sysfs, by the kernel's older and newer interface."""
_ANSWER_SECONDS = 5.0
_LINKS, _ADDRESSES = 1, 2
"""Numbers of the two questions."""


def read_network() -> HostNetwork:
    """Ask the kernel; raises OSError where that cannot be done now. May block."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(_ANSWER_SECONDS)
        links = tuple(one for part in _ask(sock, encode_link_question(_LINKS), _LINKS) for one in part.links)
        question = encode_address_question(_ADDRESSES)
        addresses = tuple(one for part in _ask(sock, question, _ADDRESSES) for one in part.addresses)
    routes = parse_default_routes(ROUTES.read_text(encoding="utf-8", errors="surrogateescape"))
    wireless = frozenset(one.name for one in links if _is_wireless(one.name))
    return HostNetwork(links, addresses, tuple(routes), wireless)


def _ask(sock: socket.socket, question: bytes, sequence: int) -> Iterator[ListPart]:
    """Yield the parts of an answer. A change meanwhile may tear it; ``InterfaceWatch`` hears of that change."""
    sock.send(question)
    done = False
    while not done:
        try:
            part = decode_list_part(sock.recv(LONGEST_PART))
        except WireError as error:
            raise OSError(errno.EPROTO, f"the kernel's answer cannot be read: {error}") from error
        if part.errno:
            raise OSError(part.errno, os.strerror(part.errno))
        done = part.done
        if part.sequence == sequence:
            yield part


def _is_wireless(name: str) -> bool:
    return any((_CLASS_NET / name / mark).exists() for mark in _WIRELESS)
