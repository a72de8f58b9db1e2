"""Which network interfaces to serve on, and by which address they are reached."""

import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.routes import ROUTES, parse_default_routes

_SIOCGIFADDR, _SIOCGIFNETMASK, _SIOCGIFINDEX = 0x8915, 0x891B, 0x8933
_CLASS_NET = Path("/sys/class/net")
_LONGEST_NAME = 15
"""Bytes; the kernel's IFNAMSIZ is one more, for the NUL."""
_NOT_THERE = {
    errno.ENODEV: "interface {} does not exist yet; it is served once it appears, or correct [network] interfaces",
    errno.EADDRNOTAVAIL: "interface {} has no IPv4 address yet; it is served once it has",
}
_WIRELESS = ("wireless", "phy80211")
"""What a wireless interface has in sysfs, by the kernel's older and newer interface."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that can be served: the kernel's number for it, and its first IPv4 address."""

    name: str
    index: int
    """Another one when an interface is made anew under the same name: sockets are bound to the number."""
    address: IPv4Address
    network: IPv4Network


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of the interfaces that are wanted; ``waits_for`` has a line for each that cannot be served."""

    interfaces: tuple[Interface, ...] = ()
    waits_for: tuple[str, ...] = ()
    default: str | None = None
    """What ``auto`` stood for, if it was among them."""


def find_interfaces(wanted: Sequence[str], before: str | None = None) -> Found:
    """Look for ``[network] interfaces``; raises OSError where that cannot be done now. May block.

    ``before`` is what ``auto`` stood for until now. It goes on while nothing has a default route: a link that flaps
    or a router that restarts takes the route away for a while, and machines boot without it.
    """
    default = (_default_interface() or before) if "auto" in wanted else None
    interfaces: dict[str, Interface] = {}
    waits_for: list[str] = []
    for name in wanted:
        try:
            found = read_interface(_resolve(name, default))
        except ServerError as error:
            waits_for.append(str(error))
        else:
            interfaces[found.name] = found
    return Found(tuple(interfaces.values()), tuple(waits_for), default)


def read_interface(name: str) -> Interface:
    """Return an interface with its primary address.

    Raises ServerError where there is none, and OSError where nobody can know, as without a free descriptor.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            index = int.from_bytes(_ioctl(sock, name, _SIOCGIFINDEX)[:4], sys.byteorder)
            address, netmask = (
                IPv4Address(_ioctl(sock, name, call)[4:]) for call in (_SIOCGIFADDR, _SIOCGIFNETMASK)
            )
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        raise ServerError(_NOT_THERE[error.errno].format(name)) from error
    interface = IPv4Interface(f"{address}/{netmask}")
    return Interface(name, index, interface.ip, interface.network)


def _resolve(name: str, default: str | None) -> str:
    if name != "auto":
        return name
    if default is None:
        text = "no interface has a default route yet; auto waits for one, or name one in [network] interfaces"
        raise ServerError(text)
    return default


def _default_interface() -> str | None:
    routes = parse_default_routes(ROUTES.read_text(encoding="utf-8", errors="replace"))
    ranked = ((_is_wireless(one.interface), one.metric, one.interface) for one in routes)
    best = min(ranked, default=None)
    return best[2] if best else None


def _is_wireless(name: str) -> bool:
    return any((_CLASS_NET / name / mark).exists() for mark in _WIRELESS)


def _ioctl(sock: socket.socket, name: str, call: int) -> bytes:
    """Return the first 8 bytes of the kernel's answer: a number, or family, port and address."""
    if len(name.encode()) > _LONGEST_NAME:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))  # the kernel would take the name's beginning
    return fcntl.ioctl(sock, call, struct.pack("256s", name.encode()))[16:24]
