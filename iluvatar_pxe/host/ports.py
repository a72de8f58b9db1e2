"""Which program has a port: the kernel's tables of sockets, and the processes that hold them (proc(5))."""

import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from msgspec import Struct

_LISTENING = {"tcp": "0A", "udp": "07"}
"""States of sockets that have a port for themselves (net/tcp_states.h)."""
_UNIT = re.compile(r"[^/]+\.(service|socket|scope)$")


class Holder(Struct, frozen=True):
    """A socket that has a port, and whose it is; the process is unknown where this user may not see it."""

    protocol: str
    address: str
    port: int
    process: str = ""
    unit: str = ""

    @property
    def words(self) -> str:
        """Say who has which socket."""
        who = " of ".join(filter(None, (self.process, self.unit))) or "another user's program"
        return f"{who} has {self.protocol.upper()} {self.address}:{self.port}"


def holders(ports: Iterable[int], proc: Path = Path("/proc")) -> list[Holder]:
    """Return who has any of these ports, by UDP or TCP."""
    sockets = {inode: one for inode, one in _sockets(proc) if one.port in set(ports)}
    owners = _owners(proc, sockets.keys())
    found = (_owned(one, owners.get(inode)) for inode, one in sockets.items())
    return sorted(found, key=lambda one: (one.port, one.protocol, one.address))


def parse_table(protocol: str, text: str) -> Iterator[tuple[str, Holder]]:
    """Return the sockets of a table like ``/proc/net/tcp`` that have a port, by their inodes."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING[protocol]:
            address, _, port = fields[1].partition(":")
            yield fields[9], Holder(protocol, _address(address), int(port, 16))


def _address(digits: str) -> str:
    """Read an address, which the kernel writes as words of its own byte order."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    octets = struct.pack(f"={len(words)}I", *words)
    return str(IPv4Address(octets)) if len(octets) == 4 else f"[{IPv6Address(octets)}]"


def _sockets(proc: Path) -> Iterator[tuple[str, Holder]]:
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with suppress(OSError):  # no IPv6
            yield from parse_table(table[:3], (proc / "net" / table).read_text(encoding="ascii"))


def _owners(proc: Path, inodes: Iterable[str]) -> dict[str, Path]:
    """Return the process that holds each socket, as far as this user may see them."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, Path] = {}
    for process in proc.glob("[0-9]*") if wanted else ():
        found.update({wanted[link]: process for link in _links(process / "fd") if link in wanted})
    return found


def _links(directory: Path) -> Iterator[str]:
    with suppress(OSError):  # another user's process, or gone
        for descriptor in list(directory.iterdir()):
            with suppress(OSError):  # closed since
                yield str(descriptor.readlink())


def _owned(socket: Holder, process: Path | None) -> Holder:
    if process is None:
        return socket
    name = _line_of(process / "comm")
    unit = _UNIT.search(_line_of(process / "cgroup"))
    words = f"{name} (process {process.name})"
    return Holder(socket.protocol, socket.address, socket.port, words, unit[0] if unit else "")


def _line_of(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(errors="replace").partition("\n")[0]
    return ""
