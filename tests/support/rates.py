"""Whether the same is sent again too soon.

Only least gaps are looked at, in captures made where the frames were sent: what a busy processor delays is no fault.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from iluvatar_pxe.lab.watch.capture import UDP, Packet

DHCP_PORT, BOOT_SERVER_PORT, TFTP_PORT = 67, 4011, 69
SLACK = 0.1
"""Seconds that may pass between reading the clock and sending: the gap after a frame that was late is shorter."""

Seconds = Sequence[float]
"""The least gaps after the first, second, … sending of the same; the last one holds from then on."""
Transfer = tuple[str, int, int]
"""The client's MAC and port, and the server's port."""


def too_soon(what: str, times: Iterable[float], least: Seconds) -> list[str]:
    """Name the gaps that are too short."""
    return [
        f"{what} again after {after - before:.3f} s, not {least[min(number, len(least) - 1)]} s"
        for number, (before, after) in enumerate(pairwise(times))
        if after - before < least[min(number, len(least) - 1)] - SLACK
    ]


def is_transfer(packet: Packet) -> bool:
    """Say whether it belongs to a TFTP transfer, the request aside."""
    well_known = {DHCP_PORT, BOOT_SERVER_PORT, TFTP_PORT}
    return packet.protocol == UDP and not {packet.source_port, packet.target_port} & well_known
