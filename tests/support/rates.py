"""Whether the same is sent again too soon.

Only least gaps are looked at, in captures made where the frames were sent: what a busy processor delays is no fault.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from iluvatar_pxe.lab.watch.capture import UDP, Packet
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.tftp import packet as tftp

DHCP_PORT, BOOT_SERVER_PORT, TFTP_PORT = 67, 4011, 69
_DATA, _OACK, _HEADER = b"\0\3", b"\0\6", 4
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


def transfers(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Return what belongs to TFTP transfers, datagram by datagram.

    A capture on a virtual cable shows what the kernel has not cut yet (UDP_SEGMENT, udp(7)) as one long frame.
    """
    sizes: dict[Transfer, int] = {}
    for packet in filter(is_transfer, packets):
        transfer = packet.target_mac, packet.target_port, packet.source_port
        if packet.payload[:2] == _OACK:
            options = dict(tftp.decode(packet.payload).options)  # type: ignore[union-attr]
            sizes[transfer] = int(options.get("blksize", "512"))
        size = _HEADER + sizes.get(transfer, 512)
        if packet.payload[:2] != _DATA or len(packet.payload) <= size:
            yield packet
            continue
        for start in range(0, len(packet.payload), size):
            yield replace(packet, payload=packet.payload[start : start + size])


def is_transfer(packet: Packet) -> bool:
    """Say whether it belongs to a TFTP transfer, the request aside."""
    well_known = {DHCP_PORT, BOOT_SERVER_PORT, TFTP_PORT}
    return packet.protocol == UDP and not {packet.source_port, packet.target_port} & well_known
