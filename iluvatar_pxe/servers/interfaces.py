"""Which network interfaces to serve on, and by which address they are reached."""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from iluvatar_pxe.errors import ServerError

_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
_ROUTES = Path("/proc/net/route")
_CLASS_NET = Path("/sys/class/net")
_RTF_UP, _RTF_REJECT = 0x1, 0x200
_LONGEST_NAME = 15
"""Octets; the kernel's IFNAMSIZ is one more, for the NUL."""
_WIRELESS = ("wireless", "phy80211")
"""What a wireless interface has in sysfs, by the kernel's older and newer interface."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is served, with its first IPv4 address."""

    name: str
    address: IPv4Address
    network: IPv4Network


def choose_interfaces(wanted: Sequence[str]) -> tuple[Interface, ...]:
    """Resolve ``[network] interfaces``; raises ServerError for one that is missing or has no address."""
    names = dict.fromkeys(_default_interface() if name == "auto" else name for name in wanted)
    if not names:
        raise ServerError("[network] interfaces is empty: name an interface, or write auto")
    return tuple(read_interface(name) for name in names)


def read_interface(name: str) -> Interface:
    """Return an interface with its primary address; raises ServerError."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            address, netmask = (_ioctl_address(sock, name, call) for call in (_SIOCGIFADDR, _SIOCGIFNETMASK))
    except OSError as error:
        no_address = error.errno == errno.EADDRNOTAVAIL
        what = "it has no IPv4 address" if no_address else "there is no such interface"
        raise ServerError(
            f"interface {name}: {what}; correct [network] interfaces or configure it"
        ) from error
    interface = IPv4Interface(f"{address}/{netmask}")
    return Interface(name, interface.ip, interface.network)


def parse_default_interfaces(routes: str) -> list[str]:
    """Return the interfaces of the default routes in ``/proc/net/route``, lowest metric first."""
    found = []
    for line in routes.splitlines()[1:]:
        name, destination, _gateway, flags, _refs, _use, metric, mask = line.split()[:8]
        if destination == mask == "00000000" and int(flags, 16) & (_RTF_UP | _RTF_REJECT) == _RTF_UP:
            found.append((int(metric), name))
    return [name for _, name in sorted(found)]


def _default_interface() -> str:
    try:
        names = parse_default_interfaces(_ROUTES.read_text(encoding="ascii"))
    except OSError as error:
        text = f"{_ROUTES} cannot be read: {error.strerror}; name an interface in [network] interfaces"
        raise ServerError(text) from error
    if not names:
        raise ServerError("no interface has a default route: name one in [network] interfaces")
    return min(names, key=lambda name: (_is_wireless(name), names.index(name)))


def _is_wireless(name: str) -> bool:
    return any((_CLASS_NET / name / mark).exists() for mark in _WIRELESS)


def _ioctl_address(sock: socket.socket, name: str, call: int) -> IPv4Address:
    if len(name.encode()) > _LONGEST_NAME:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))  # the kernel would take the name's beginning
    answer = fcntl.ioctl(sock, call, struct.pack("256s", name.encode()))
    return IPv4Address(answer[20:24])
