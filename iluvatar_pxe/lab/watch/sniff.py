"""Writes every frame that crosses an interface to a pcap file: a program of its own, ``sniff.py INTERFACE FILE``.

tcpdump would do, but gives up where it cannot change its user, as in a user namespace.
"""

import socket
import struct
import sys
from pathlib import Path

_ETHERTYPE_ALL = 0x0003
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
_LONGEST_FRAME = 65535 + 14
_BUFFER_BYTES = 16 * 2**20
_SO_TIMESTAMPNS, _TIMESPEC = 35, struct.Struct("@ll")


def sniff(interface: str, file: Path) -> None:
    """Write frames until killed; prints ``listening`` when the first one can no longer be missed."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_ALL)) as packets,
        file.open("wb") as pcap,
    ):
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        packets.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)  # when it came, not when it was read
        packets.bind((interface, 0))
        membership = struct.pack("iHH8x", socket.if_nametoindex(interface), _PROMISCUOUS, 0)
        packets.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        pcap.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _LONGEST_FRAME, 1))
        pcap.flush()
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            frame, ancillary, *_ = packets.recvmsg(_LONGEST_FRAME, socket.CMSG_SPACE(_TIMESPEC.size))
            seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
            header = struct.pack("<IIII", seconds, nanoseconds // 1000, len(frame), len(frame))
            pcap.write(header + frame)
            pcap.flush()


if __name__ == "__main__":
    sniff(sys.argv[1], Path(sys.argv[2]))
