"""A TFTP client that takes its time: ``python slow_tftp.py SERVER NAME SECONDS``, SECONDS before each ACK.

Prints how many octets came, or the ERROR. Blocks of 512 octets and no options, as a Pi 3's boot ROM asks.
"""

import socket
import struct
import sys
import time


def main() -> None:
    server, name, pause = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(b"\0\1" + name.encode() + b"\0octet\0", (server, 69))
        size = 0
        while True:
            packet, peer = sock.recvfrom(1024)
            kind, block = struct.unpack_from("!HH", packet)
            if kind != 3:
                sys.stdout.write(f"ERROR {block}\n")
                return
            if block == size // 512 + 1:
                size += len(packet) - 4
            time.sleep(float(pause))
            sock.sendto(struct.pack("!HH", 4, block), peer)
            if len(packet) < 516:
                break
        sys.stdout.write(f"{size}\n")


if __name__ == "__main__":
    main()
