"""A storm of DISCOVERs: ``python dhcp_storm.py REQUEST_HEX DEVICE PER_SECOND SECONDS [own]``.

Each is a broadcast from 0.0.0.0 in another invented MAC. With ``own`` each
comes in a frame of that MAC, and otherwise all in frames of the card. Prints ``STORM`` when it begins, and at the end how many it sent
in a second.
"""

import os
import sys
import time

from support.firmware_dhcp import broadcasting, frame_of

_BURST_SECONDS = 0.002
_SOURCE = slice(6, 12)
_CHADDR = slice(14 + 20 + 8 + 28, 14 + 20 + 8 + 34)


def main() -> None:
    request, device, per_second, seconds, *own = sys.argv[1:]
    burst = max(1, round(int(per_second) * _BURST_SECONDS))
    with broadcasting(device) as sock:
        frame = bytearray(frame_of(sock, bytes.fromhex(request)))
        began, sent = time.monotonic(), 0
        sys.stdout.write("STORM\n")
        sys.stdout.flush()
        while (now := time.monotonic()) < began + float(seconds):
            for _ in range(burst):
                frame[_CHADDR] = mac = b"\x02" + os.urandom(5)
                if own:
                    frame[_SOURCE] = mac
                sock.send(frame)
            sent += burst
            time.sleep(max(0.0, began + sent / int(per_second) - now))
        sys.stdout.write(f"SENT {sent / (time.monotonic() - began):.0f}\n")


if __name__ == "__main__":
    main()
