"""Machines that ask for a boot, for ``bench/dhcp.py``: ``python dhcp_client.py DEVICE HOW AMOUNT COUNT``.

COUNT machines send DISCOVERs in prebuilt frames of their own, by HOW: ``outstanding``, 16 of them wait for their OFFER at
any time, for AMOUNT seconds; ``passes``, likewise, until each has asked AMOUNT times; ``paced``, 1,000 in a second, for AMOUNT seconds; ``burst``, each sends one, all at once, and
what comes within AMOUNT seconds counts. Prints a JSON object.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle

from support.firmware_dhcp import broadcasting, frame_of, listening
from support.proxy import discover

from bench.booted import mac
from iluvatar_pxe.wire.dhcp import encode

OUTSTANDING, PER_SECOND = 16, 1000
_PATIENCE = 0.2
"""Seconds after which what is outstanding counts as lost."""
_FRAME_XID = slice(14 + 20 + 8 + 4, 14 + 20 + 8 + 8)
_REPLY_XID, _REPLY_MAC = slice(4, 8), slice(28, 34)
_BUFFER, _SO_RCVBUFFORCE = 16 << 20, 33


def main() -> None:
    device, how, amount, count = sys.argv[1:]
    with broadcasting(device) as card, listening(device) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        messages = (encode(discover(7, mac=mac(number).hex(":"))) for number in range(int(count)))
        frames = [bytearray(frame_of(card, one, one[28:34])) for one in messages]
        ask = {"outstanding": outstanding, "passes": passes, "paced": paced, "burst": burst}[how]
        sys.stdout.write(json.dumps(ask(card, sock, frames, float(amount))) + "\n")


def outstanding(
    card: socket.socket, sock: socket.socket, frames: list[bytearray], seconds: float
) -> dict[str, float]:
    """Return how many were answered in a second, and how many were lost."""
    end = time.monotonic() + seconds
    return _in_turns(card, sock, frames, lambda _: time.monotonic() < end)


def passes(
    card: socket.socket, sock: socket.socket, frames: list[bytearray], each: float
) -> dict[str, float]:
    """Return the same."""
    return _in_turns(card, sock, frames, lambda answered: answered < each * len(frames))


def _in_turns(
    card: socket.socket, sock: socket.socket, frames: list[bytearray], goes_on: Callable[[int], bool]
) -> dict[str, float]:
    """Let the machines ask in turns, as long as ``goes_on``, by how many were answered."""
    machines, answered, lost, began = cycle(frames), 0, 0, time.monotonic()
    sock.settimeout(_PATIENCE)
    _send(card, machines, OUTSTANDING)
    while goes_on(answered):
        try:
            sock.recv(1024)
        except TimeoutError:
            lost += OUTSTANDING
            _send(card, machines, OUTSTANDING)
        else:
            answered += 1
            card.send(next(machines))
    return {"per_second": answered / (time.monotonic() - began), "answered": answered, "lost": lost}


def _send(card: socket.socket, machines: Iterator[bytearray], count: int) -> None:
    for _ in range(count):
        card.send(next(machines))


def paced(
    card: socket.socket, sock: socket.socket, frames: list[bytearray], seconds: float
) -> dict[str, float]:
    """Return the median and the 99th percentile of the milliseconds until the OFFER; what is lost took for ever."""
    sock.settimeout(0)
    total, sent, began = round(PER_SECOND * seconds), 0, time.perf_counter()
    times = [float("inf")] * total
    while (now := time.perf_counter()) < began + seconds + 1:
        if sent < total and now >= began + sent / PER_SECOND:
            frame = frames[sent % len(frames)]
            frame[_FRAME_XID] = sent.to_bytes(4)
            times[sent] = -time.perf_counter()
            card.send(frame)
            sent += 1
        try:
            reply = sock.recv(1024)
        except BlockingIOError:
            continue
        number = int.from_bytes(reply[_REPLY_XID])
        if times[number] < 0:
            times[number] += time.perf_counter()
    milliseconds = sorted(one * 1000 if one > 0 else float("inf") for one in times)
    return {"median": milliseconds[total // 2], "p99": milliseconds[total * 99 // 100]}


def burst(
    card: socket.socket, sock: socket.socket, frames: list[bytearray], seconds: float
) -> dict[str, float]:
    """Return how many machines were not answered, and after how many milliseconds the last of the others was."""
    began = last = time.monotonic()
    for frame in frames:
        card.send(frame)
    answered = set[bytes]()
    while len(answered) < len(frames) and (left := began + seconds - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            answered.add(sock.recv(1024)[_REPLY_MAC])
        except TimeoutError:
            break
        last = time.monotonic()
    return {"lost": len(frames) - len(answered), "milliseconds": (last - began) * 1000}


if __name__ == "__main__":
    main()
