"""Machines that ask for a boot one after the other: ``python dhcp_asks.py DEVICE SECONDS,… REQUEST_HEX…``.

Each sends its DISCOVER in a frame of its own MAC, and again when it has waited so many seconds in vain. Prints for each how many it sent, and the
milliseconds until the answer to the last of them; ``0 0`` where there was none.
"""

import socket
import sys
import time

from support.firmware_dhcp import answer_to, broadcasting, frame_of, listening

from iluvatar_pxe.wire.dhcp import CHADDR


def main() -> None:
    device, waits, *requests = sys.argv[1:]
    with broadcasting(device) as card, listening(device) as sock:
        for request in map(bytes.fromhex, requests):
            sys.stdout.write("{} {:.2f}\n".format(*_ask(card, sock, request, waits)))


def _ask(card: socket.socket, sock: socket.socket, request: bytes, waits: str) -> tuple[int, float]:
    """Send by a card that stays open: the kernel takes ten milliseconds to close one."""
    for number, wait in enumerate(map(float, waits.split(",")), 1):
        sent = time.monotonic()
        card.send(frame_of(card, request, request[CHADDR]))
        if answer_to(request, sock, wait):
            return number, (time.monotonic() - sent) * 1000
    return 0, 0.0


if __name__ == "__main__":
    main()
