"""The names of a server, as they appear in its certificate (RFC 5280, 4.2.1.6)."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

from cryptography import x509

from iluvatar_pxe.fleet.dns import SERVICES

Names = tuple[x509.GeneralName, ...]

LOOPBACK: Names = (x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1")))
"""The names of every server on its own host."""
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)


def names_of(host: str, domain: str, addresses: Iterable[IPv4Address]) -> Names:
    """Return the names of a server: loopback, its addresses, its host's name (also by mDNS), and those in the domain.

    A host's name that no client can ask for, which the kernel takes as well, is left out.
    """
    hosts = list(services_of(domain))
    if is_host_name(host):
        hosts += [host, f"{host.partition('.')[0]}.local"]
    return tuple(dict.fromkeys([*LOOPBACK, *map(x509.DNSName, hosts), *map(x509.IPAddress, addresses)]))


def is_host_name(host: str) -> bool:
    """Say whether clients can ask for a host by this name."""
    return _HOST.fullmatch(host) is not None


def services_of(domain: str) -> tuple[str, ...]:
    """Return the daemon's own names in the fleet's domain, which its DNS gives."""
    return tuple(f"{service}.{domain}" for service in SERVICES)
