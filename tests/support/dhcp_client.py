"""A DHCP client for one message: ``python dhcp_client.py REQUEST_HEX DEVICE LOCAL_PORT TO PORT EXPECTED SECONDS``.

Prints one JSON line for each reply, and ends after EXPECTED replies or SECONDS.
"""

import json
import select
import socket
import sys
import time


def main() -> None:
    request, device, local_port, to, port, expected, seconds = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sock.bind(("0.0.0.0", int(local_port)))
        sock.sendto(bytes.fromhex(request), (to, int(port)))
        deadline = time.monotonic() + float(seconds)
        for _ in range(int(expected)):
            if not select.select([sock], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            data, source = sock.recvfrom(4096)
            sys.stdout.write(json.dumps({"source": source, "data": data.hex()}) + "\n")


if __name__ == "__main__":
    main()
