"""A cable that loses, delays and duplicates: ``python bad_link.py ONE OTHER LOSS DELAY DUPLICATES SEED``.

Carries frames between two interfaces; LOSS and DUPLICATES are shares of 1, DELAY is seconds of which each frame takes
half to all, so they also overtake each other. ARP is spared: what waits for a lost answer is sent all at once by the
kernel, and would look as if it had been asked too often. Stands in for netem, which not every kernel has.
"""

import heapq
import select
import socket
import struct
import sys
import time
from random import Random

from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import BRIDGE

_ALL, _SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS, _VNET_HEADER = 0x0003, 263, 1, 1, 15
_LONGEST = 65535 + 14 + 10
_ETHERTYPE, _ARP = slice(22, 24), b"\x08\x06"  # behind 10 octets of that header and two MACs
_HERE, _THERE = "bad0", "bad1"


def worsen(
    namespace: Namespace, station: str, *, loss: float, delay: float, duplicates: float, seed: int
) -> None:
    """Put a bad cable between a station and the switch, until the namespace ends."""
    run = namespace.run
    run(["ip", "link", "add", _HERE, "type", "veth", "peer", "name", _THERE])
    run(["ip", "link", "set", _THERE, "master", BRIDGE, "up"])
    run(["ip", "link", "set", _HERE, "up"])
    run(["ip", "link", "set", station, "nomaster"])
    arguments = [station, _HERE, *(str(figure) for figure in (loss, delay, duplicates, seed))]
    namespace.start("bad link", [sys.executable, __file__, *arguments]).wait_for("carrying", 10)


def opened(interface: str) -> socket.socket:
    """Return a socket for whole frames, with the header that says which checksums are yet to be made."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    sock.setsockopt(_SOL_PACKET, _VNET_HEADER, 1)
    sock.bind((interface, 0))
    membership = struct.pack("iHH8x", socket.if_nametoindex(interface), _PROMISCUOUS, 0)
    sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    return sock


def main() -> None:
    loss, delay, duplicates = (float(text) for text in sys.argv[3:6])
    chance = Random(int(sys.argv[6]))
    ends = [opened(name) for name in sys.argv[1:3]]
    other = dict(zip(ends, reversed(ends), strict=True))
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    number = 0
    sys.stdout.write("carrying\n")
    sys.stdout.flush()
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for sock in select.select(ends, [], [], patience)[0]:
            frame, address = sock.recvfrom(_LONGEST)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            copies = 0 if chance.random() < loss else 1 + (chance.random() < duplicates)
            spared = frame[_ETHERTYPE] == _ARP
            for _ in range(1 if spared else copies):
                number += 1
                due = time.monotonic() + (0 if spared else delay * (1 + chance.random()) / 2)
                heapq.heappush(waiting, (due, number, other[sock], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, sock, frame = heapq.heappop(waiting)
            sock.send(frame)


if __name__ == "__main__":
    main()
