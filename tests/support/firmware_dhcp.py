"""DHCP as firmware sends it, from 0.0.0.0: ``python firmware_dhcp.py REQUEST_HEX DEVICE SECONDS``.

Prints the first reply as hex. A socket of the kernel would put the host's address into the packet.
"""

import socket
import struct
import sys
import time

_BROADCAST = b"\xff" * 6
_ETHER_IP = 0x0800


def main() -> None:
    request, device, seconds = sys.argv[1:]
    with listening(device) as sock:
        send_from_nowhere(device, bytes.fromhex(request))
        reply = answer_to(bytes.fromhex(request), sock, float(seconds))
    if reply:
        sys.stdout.write(reply.hex() + "\n")


def listening(device: str) -> socket.socket:
    """Return a socket that hears replies on ``device``."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    sock.bind(("", 68))
    return sock


def send_from_nowhere(device: str, request: bytes, mac: bytes = b"") -> None:
    """Send a DHCP message by broadcast, in a frame of the card or of this MAC, and without an address."""
    with broadcasting(device) as sock:
        sock.send(frame_of(sock, request, mac))


def broadcasting(device: str) -> socket.socket:
    """Return a socket that sends frames by ``device``."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((device, _ETHER_IP))
    return sock


def frame_of(sock: socket.socket, request: bytes, mac: bytes = b"") -> bytes:
    """Return the frame of a DHCP message that this socket's card, or a machine with another MAC, broadcasts."""
    mac = mac or sock.getsockname()[4]
    udp = struct.pack("!4H", 68, 67, 8 + len(request), 0) + request
    return _BROADCAST + mac + struct.pack("!H", _ETHER_IP) + _ip_header(len(udp)) + udp


def answer_to(request: bytes, sock: socket.socket, seconds: float) -> bytes | None:
    """Return the reply with the request's transaction and MAC, or None when none comes in time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            reply = sock.recv(4096)
        except TimeoutError:
            return None
        if reply[4:8] == request[4:8] and reply[28:34] == request[28:34]:
            return reply
    return None


def _ip_header(length: int) -> bytes:
    fields = (0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP)
    header = struct.pack("!BBHHHBBH4s4s", *fields, 0, bytes(4), b"\xff" * 4)
    total: int = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return header[:10] + checksum.to_bytes(2) + header[12:]


if __name__ == "__main__":
    main()
