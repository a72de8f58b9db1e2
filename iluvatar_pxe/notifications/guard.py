"""What the process that delivers may not do, whatever address it is given and whatever a service answers.

It connects to this host and to its link only where the address itself says so, reads no file that is not Python's or the
system's, and starts no program. Audit hooks (PEP 578) see all of that, and cannot be removed.
"""

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote

_IP = IPv4Address | IPv6Address
_PIECES = re.compile(r"[/@?&=,]+")
_HOST = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<host>[^:]+)(?::\d+)?")
_LOCAL = (ip_address("127.0.0.1"), ip_address("::1"))
_CONNECTIONS = frozenset({"socket.connect", "socket.sendto"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn"})
_SYSTEM = ("/usr", "/etc/ssl", "/etc/pki", "/etc/mime.types", "/etc/hosts", "/etc/resolv.conf", "/dev")


def own_places(addresses: Iterable[str]) -> frozenset[_IP]:
    """Return the IP addresses that are written out in addresses of services or proxies, ``localhost`` among them."""
    found: set[_IP] = set()
    for piece in (one for address in addresses for one in _PIECES.split(unquote(address))):
        match = _HOST.fullmatch(piece)
        host = (match["six"] or match["host"]) if match else ""
        if host == "localhost":
            found.update(_LOCAL)
        elif place := _ip(host):
            found.add(place)
    return frozenset(found)


def why_refused(host: str, allowed: Collection[_IP]) -> str | None:
    """Return why nothing is sent to a host, which is an IP address, or None."""
    place = _ip(host)
    if place is None:
        return "leads to no IP address"
    if isinstance(place, IPv6Address):
        place = place.ipv4_mapped or place
    is_near = place.is_loopback or place.is_unspecified or place.is_link_local or place.is_multicast
    if is_near and place not in allowed:
        return (
            f"leads to {place}, which is this host or its link; if that is meant, write it as an IP address"
        )
    return None


def guard(allowed: Collection[_IP], note: Callable[[str], object]) -> None:
    """Refuse from now on what is not allowed, by OSError; ``note`` is called with why nothing is sent somewhere."""
    roots = tuple(
        {os.path.realpath(one) for one in (*_SYSTEM, sys.prefix, sys.base_prefix, *sys.path) if one}
    )

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTIONS:
            place = arguments[1]
            why = why_refused(str(place[0]) if isinstance(place, tuple) else "", allowed)
            if why:
                note(why)
                raise ConnectionRefusedError(why)
        elif event in _PROGRAMS:
            raise PermissionError(f"starts no program: {event}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not any(path == root or path.startswith(f"{root}/") for root in roots):
                raise PermissionError("reads no file but Python's and the system's")

    sys.addaudithook(look)


def _ip(host: str) -> _IP | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
