"""A VPN's client, as far as the kernel sees it: ``python tunnel.py tun|tap`` makes tun0, with a carrier while it runs."""

import fcntl
import os
import struct
import sys
import time

_TUNSETIFF = 0x400454CA
_MODES = {"tun": 0x0001, "tap": 0x0002}
_NO_PACKET_INFORMATION = 0x1000


def main() -> None:
    device = os.open("/dev/net/tun", os.O_RDWR)
    request = struct.pack("16sH22x", b"tun0", _MODES[sys.argv[1]] | _NO_PACKET_INFORMATION)
    fcntl.ioctl(device, _TUNSETIFF, request)
    sys.stdout.write("OPEN\n")
    sys.stdout.flush()
    time.sleep(600)


if __name__ == "__main__":
    main()
