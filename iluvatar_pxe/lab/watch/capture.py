"""What went over the lab's wire: a running capture, and its packets once it has ended."""

import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.room.namespace import DIRECTORY
from iluvatar_pxe.lab.room.network import BRIDGE, Network
from iluvatar_pxe.lab.watch import sniff

_READY_SECONDS = 10.0
_GLOBAL_HEADER = struct.Struct("<IHHiIII")
_RECORD_HEADER = struct.Struct("<IIII")
_MICROSECONDS, _ETHERNET, _IPV4 = 0xA1B2C3D4, 1, 0x0800
TCP, UDP = 6, 17


class Packet(Struct, frozen=True):
    """One TCP or UDP packet over IPv4; fragments after the first are left out."""

    time: float
    """Seconds since the epoch."""
    source_mac: str
    target_mac: str
    protocol: int
    source: IPv4Address
    source_port: int
    target: IPv4Address
    target_port: int
    payload: bytes


class Capture:
    """Everything that crosses the segment, or one interface of the switch, from now on."""

    def __init__(self, network: Network, name: str, interface: str = BRIDGE) -> None:
        """Start capturing; returns when it really does, or raises LabError. Each that runs has a name of its own."""
        file = DIRECTORY / f"{name}.pcap"
        command = [sys.executable, "-I", sniff.__file__, interface, str(file)]
        self.file = network.namespace.outside(file)
        """The pcap file, as the driver reaches it while the namespace exists."""
        self._sniffer = network.namespace.start(f"{name}.capture", command)
        self._sniffer.wait_for("listening", _READY_SECONDS)

    def stop(self) -> list[Packet]:
        """End the capture and return its packets in order."""
        self._sniffer.stop()
        return list(read_packets(self.file.read_bytes()))


def read_packets(pcap: bytes) -> Iterator[Packet]:
    """Yield the packets of a pcap file written on this machine; raises LabError for other formats."""
    magic, *_, link = _GLOBAL_HEADER.unpack_from(pcap)
    if magic != _MICROSECONDS or link != _ETHERNET:
        raise LabError("the capture is no little-endian Ethernet pcap file")
    offset = _GLOBAL_HEADER.size
    while offset + _RECORD_HEADER.size <= len(pcap):
        seconds, microseconds, length, _ = _RECORD_HEADER.unpack_from(pcap, offset)
        offset += _RECORD_HEADER.size
        packet = _packet(seconds + microseconds / 1e6, pcap[offset : offset + length])
        offset += length
        if packet is not None:
            yield packet


def _packet(time: float, frame: bytes) -> Packet | None:
    ip = frame[14:]
    if int.from_bytes(frame[12:14]) != _IPV4 or int.from_bytes(ip[6:8]) & 0x1FFF:
        return None
    protocol = ip[9]
    if protocol not in {TCP, UDP}:
        return None
    segment = ip[(ip[0] & 0x0F) * 4 : int.from_bytes(ip[2:4])]
    header = 8 if protocol == UDP else (segment[12] >> 4) * 4
    source_port, target_port = struct.unpack_from("!HH", segment)
    source, target = IPv4Address(ip[12:16]), IPv4Address(ip[16:20])
    target_mac, source_mac = frame[:6].hex(":"), frame[6:12].hex(":")
    return Packet(
        time, source_mac, target_mac, protocol, source, source_port, target, target_port, segment[header:]
    )
