"""Whether an address is one of this host's own."""

import socket
from ipaddress import IPv4Address, IPv6Address

_DISCARD = 9


def is_own(address: IPv4Address | IPv6Address) -> bool:
    """Ask the kernel: packets to an own address would come from that address. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((str(address), _DISCARD))
            return str(sock.getsockname()[0]) == str(address)
    except OSError:  # no route leads there, so it is not here
        return False
