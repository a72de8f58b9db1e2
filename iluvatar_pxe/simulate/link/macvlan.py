"""Cards of their own for simulated machines: macvlan children of a network interface.

They are in a network namespace which nothing else is in, and which ends with this process, however that ends. In the
host's they would bring it addresses and routes, and the host would answer ARP for them.
"""

import asyncio
import ctypes
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from iluvatar_pxe.errors import SimulateError

_CLONE_NEWNET = 0x40000000
_SYSCTL = Path("/proc/sys/net")
_BROADCASTS = 10_000
"""Broadcasts that wait for delivery to all cards; 1,000, the default, is too few for 200 machines at once."""
_SYSCTLS = {
    "ipv4/conf/all/arp_ignore": "1",
    "ipv4/conf/all/arp_announce": "2",
    "ipv4/conf/all/rp_filter": "2",
}
"""Each card answers ARP for its own address alone, and takes what comes although another card is nearer."""
_NO_IPV6 = "ipv6/conf/default/disable_ipv6"

_libc = ctypes.CDLL(None, use_errno=True)


def card_name(mac: bytes) -> str:
    """Return the interface's name, which fits into the kernel's 15 characters."""
    return f"sim{mac.hex()}"


@asynccontextmanager
async def plugged_in(interface: str, macs: Sequence[bytes]) -> AsyncIterator[None]:
    """Add a card for each MAC to ``interface``'s network; raises SimulateError.

    Until the block ends, this thread and those that it starts see no other interfaces than the cards.
    """
    with _network_of_its_own() as hosts:
        kind = f"type macvlan mode bridge bcqueuelen {_BROADCASTS}"
        await _ip(
            [
                f"link add link {interface} name {card_name(mac)} address {mac.hex(':')}"
                f" netns {threading.get_native_id()} {kind}"
                for mac in macs
            ],
            network=hosts,
        )
        await _ip([f"link set {card_name(mac)} up" for mac in macs])
        yield


@contextmanager
def _network_of_its_own() -> Iterator[int]:
    """Put this thread into a new network namespace for the block, which gets a descriptor of the host's."""
    hosts = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNET):
            raise SimulateError(
                f"no network for the cards: {os.strerror(ctypes.get_errno())}; run it as root"
            )
        try:
            _set_up()
            yield hosts
        finally:
            _libc.setns(hosts, _CLONE_NEWNET)
    finally:
        os.close(hosts)


def _set_up() -> None:
    try:
        for name, value in _SYSCTLS.items():
            (_SYSCTL / name).write_text(value, encoding="ascii")
    except OSError as error:
        raise SimulateError(
            f"{error.filename}: {error.strerror}; run it where that can be written"
        ) from error
    with suppress(OSError):  # a kernel without IPv6
        (_SYSCTL / _NO_IPV6).write_text("1", encoding="ascii")


async def _ip(lines: Sequence[str], network: int | None = None) -> None:
    """Have ``ip`` do all this, in the network namespace of a descriptor or in this thread's."""
    enter = [] if network is None else ["nsenter", f"--net=/proc/self/fd/{network}"]
    try:
        process = await asyncio.create_subprocess_exec(
            *enter,
            *("ip", "-batch", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=() if network is None else (network,),
        )
    except OSError as error:
        raise SimulateError(
            f"ip or nsenter cannot be run: {error.strerror}; install iproute2 and util-linux"
        ) from error
    _, complaint = await process.communicate("\n".join(lines).encode() + b"\n")
    if process.returncode:
        said = complaint.decode(errors="replace").strip().splitlines()[:1]
        raise SimulateError(
            f"the network refuses a card: {' '.join(said)}; run it as root, on an interface of this host"
        )
