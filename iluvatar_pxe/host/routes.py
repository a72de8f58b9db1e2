"""The default routes of this host, as the kernel lists them (``fib_route_seq_show`` in Linux' ``net/ipv4/fib_trie.c``)."""

import re
from ipaddress import IPv4Address
from pathlib import Path
from sys import byteorder

from msgspec import Struct

ROUTES = Path("/proc/net/route")

_DEFAULT_ROUTE = re.compile(
    r"([^\t]*)\t0{8}\t([0-9A-F]{8})\t([0-9A-F]{4,8})\t\d+\t\d+\t(\d{1,10})\t0{8}\t", re.ASCII
)
_RTF_UP, _RTF_REJECT = 0x1, 0x200


class DefaultRoute(Struct, frozen=True):
    """``gateway`` is None where the interface itself leads there, as with a tunnel."""

    interface: str
    gateway: IPv4Address | None
    metric: int


def parse_default_routes(text: str) -> list[DefaultRoute]:
    """Return the default routes of ``/proc/net/route`` that are up, lowest metric first; passes over all other lines."""
    found: list[DefaultRoute] = []
    for line in filter(None, map(_DEFAULT_ROUTE.match, text.split("\n"))):
        interface, gateway, flags, metric = line.groups()
        if int(flags, 16) & (_RTF_UP | _RTF_REJECT) == _RTF_UP:
            octets = int(gateway, 16).to_bytes(4, byteorder)
            found.append(DefaultRoute(interface, IPv4Address(octets) if any(octets) else None, int(metric)))
    return sorted(found, key=lambda route: route.metric)
