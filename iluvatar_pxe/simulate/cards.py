"""Cards of their own for simulated machines: macvlan children of a network interface, gone when the block ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from iluvatar_pxe.errors import SimulateError

_SYSCTL = Path("/proc/sys/net")
_BROADCASTS = 10_000
"""Broadcasts that wait for delivery to all cards; 1,000, the default, is too few for 200 machines at once."""
_CARD = {"arp_ignore": "1", "arp_announce": "2", "rp_filter": "2"}
"""Each card answers ARP for its own address alone, and takes what comes although another card is nearer."""


def card_name(mac: bytes) -> str:
    """Return the interface's name, which fits into the kernel's 15 characters."""
    return f"sim{mac.hex()}"


@asynccontextmanager
async def plugged_in(interface: str, macs: Sequence[bytes]) -> AsyncIterator[None]:
    """Add a card for each MAC to ``interface``'s network for the block; raises SimulateError."""
    try:
        for mac in macs:
            await _add(interface, mac)
        yield
    finally:
        lines = "".join(f"link delete {card_name(mac)}\n" for mac in macs)
        with suppress(SimulateError):  # those that were never made
            await asyncio.shield(_ip("-force", "-batch", "-", stdin=lines))


async def _add(interface: str, mac: bytes) -> None:
    name = card_name(mac)
    kind = f"type macvlan mode bridge bcqueuelen {_BROADCASTS}"
    await _ip("-batch", "-", stdin=f"link add link {interface} name {name} address {mac.hex(':')} {kind}\n")
    for key, value in _CARD.items():
        (_SYSCTL / "ipv4/conf" / name / key).write_text(value, encoding="ascii")
    with suppress(OSError):  # a kernel without IPv6
        (_SYSCTL / "ipv6/conf" / name / "disable_ipv6").write_text("1", encoding="ascii")
    await _ip("link", "set", name, "up")


async def _ip(*arguments: str, stdin: str = "") -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            "ip",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise SimulateError(f"ip cannot be run: {error.strerror}; install iproute2") from error
    _, complaint = await process.communicate(stdin.encode())
    if process.returncode:
        said = complaint.decode(errors="replace").strip().splitlines()[:1]
        raise SimulateError(
            f"the network refuses a card: {' '.join(said)}; run it as root, on an interface of this host"
        )
