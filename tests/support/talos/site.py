"""Where stand-ins stand: what one machine can find out about the others, and addresses for them."""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from support.talos.kubernetes import Kubernetes

if TYPE_CHECKING:
    from support.talos.machine import Machine

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = count(os.getpid() * 97)


def loopback_addresses() -> Iterator[str]:
    """Yield addresses of loopback, so that every machine has the port 50000 to itself; others for each worker."""
    for number in _numbers:
        yield f"127.{64 + _WORKER}.{number // 250 % 250 + 1}.{number % 250 + 1}"


@dataclass
class Site:
    """The machines of one network, and the names that they resolve beside DNS."""

    machines: "list[Machine]" = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    dns: str = ""
    """``ADDRESS:PORT`` of the server that they ask, else those of their configurations, else the system's resolver."""
    _kubernetes: dict[bytes, Kubernetes] = field(default_factory=dict)

    async def resolve(self, name: str, resolvers: Sequence[str] = ()) -> list[str]:
        """Return the addresses of a name: as given for it, else as the first server says that knows it; none if it fails."""
        if name in self.names:
            return self.names[name]
        if servers := [self.dns] if self.dns else [f"{one}:53" for one in resolvers]:
            for server in servers:
                if told := await addresses_by_dns(name, server):
                    return told
            return []
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
        except OSError:
            return []
        return [str(address[0]) for *_, address in found]

    def kubernetes(self, authority: bytes) -> Kubernetes:
        """Return what the Kubernetes holds of the cluster that has this CA of Talos."""
        return self._kubernetes.setdefault(authority, Kubernetes())

    def control_planes(self, authority: bytes) -> "list[Machine]":
        """Return the machines that run as control planes under this CA, whose trustd could sign."""
        return [machine for machine in self.machines if machine.serves_as_control_plane(authority)]


async def addresses_by_dns(name: str, dns: str) -> list[str]:
    """Ask one DNS server by ``dig``, and return the addresses."""
    server, _, port = dns.rpartition(":")
    dig = await asyncio.create_subprocess_exec(
        *("dig", f"@{server}", "-p", port, "+short", "+tries=1", "+time=2", name, "A"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await dig.communicate()
    return [line for line in said.decode().split() if line.count(".") == 3 and line[-1].isdigit()]
