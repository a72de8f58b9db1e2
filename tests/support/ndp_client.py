"""Router discovery by hand: ``python ndp_client.py DEVICE EXPECTED SECONDS MESSAGE…``.

A MESSAGE is ``SOURCE,DESTINATION,HOP_LIMIT,HEX``. All are sent in order, and again every quarter second, much
as iPXE does, until EXPECTED advertisements have come for the source of the last one, or for SECONDS. Prints a
JSON line for each advertisement that comes in, whomever it is for.
"""

import json
import select
import socket
import struct
import sys
import time

ICMP6_FILTER = 1
ADVERTISEMENT = 134
AGAIN_SECONDS = 0.25


def main() -> None:
    device, expected, seconds, *messages = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    awaited = messages[-1].split(",")[0]
    came = 0
    with listener(device) as sock:
        while time.monotonic() < deadline:
            for message in messages:
                send(device, *message.split(","))
            again = time.monotonic() + AGAIN_SECONDS
            while (
                came < int(expected) and select.select([sock], [], [], max(0.0, again - time.monotonic()))[0]
            ):
                came += report(sock) == awaited
            if came >= int(expected):
                return


def listener(device: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    words = [0xFFFFFFFF] * 8
    words[ADVERTISEMENT // 32] &= ~(1 << ADVERTISEMENT % 32)
    sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("@8I", *words))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    return sock


def send(device: str, source: str, destination: str, hop_limit: str, data: str) -> None:
    scope = socket.if_nametoindex(device)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        for option in (socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS):
            sock.setsockopt(socket.IPPROTO_IPV6, option, int(hop_limit))
        sock.bind((source, 0, 0, scope))
        sock.sendto(bytes.fromhex(data), (destination, 0, 0, scope))


def report(sock: socket.socket) -> str:
    data, ancillary, _flags, source = sock.recvmsg(2000, 200)
    values = {kind: value for _level, kind, value in ancillary}
    to = socket.inet_ntop(socket.AF_INET6, values[socket.IPV6_PKTINFO][:16])
    hop_limit = int.from_bytes(values[socket.IPV6_HOPLIMIT], sys.byteorder)
    line = {"source": source[0], "to": to, "hop_limit": hop_limit, "data": data.hex()}
    sys.stdout.write(json.dumps(line) + "\n")
    return to


if __name__ == "__main__":
    main()
