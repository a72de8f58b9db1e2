"""When a boot reached which stage, read from the packets on the wire."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address

from iluvatar_pxe.lab.room.network import ROUTER_ADDRESS
from iluvatar_pxe.lab.watch.capture import TCP, UDP, Packet

STAGES = ("DISCOVER", "router ACK", "NBP fetched", "iPXE DISCOVER", "script", "config fetched")
"""In the order in which a boot reaches them; a kind of boot may skip some."""

_DISCOVER, _ACK = 1, 5
_MESSAGE_TYPE, _USER_CLASS = 53, 77
_DHCP_SERVER_PORT, _TFTP_PORT = 67, 69
_CHADDR = slice(28, 34)
_OPTIONS_START = 240
_RRQ = b"\x00\x01"
_NBP_SUFFIXES = (".efi", ".kpxe")


def stage_times(packets: Sequence[Packet], started: float) -> dict[str, float]:
    """Return the seconds from ``started`` (since the epoch) to each stage that was reached."""
    discovers = [packet for packet in packets if _message_type(packet) == _DISCOVER]
    requests = [(packet, path) for packet in packets if (path := http_path(packet))]
    kernel = next((index for index, (_, path) in enumerate(requests) if "kernel" in path), len(requests))
    scripts = [packet for packet, path in requests[:kernel] if not path.lower().endswith(_NBP_SUFFIXES)]
    found = {
        "DISCOVER": discovers[:1],
        "router ACK": [packet for packet in packets if _is_router_ack(packet)][:1],
        "NBP fetched": _nbp_transfer(packets)[-1:],
        "iPXE DISCOVER": [packet for packet in discovers[1:] if _is_ipxe(packet)][:1],
        "script": scripts[-1:],
        "config fetched": [packet for packet, path in requests[kernel:] if path.endswith("config.yaml")][:1],
    }
    return {stage: packets[0].time - started for stage, packets in found.items() if packets}


def packets_of(mac: str, packets: Iterable[Packet]) -> list[Packet]:
    """Return the packets from and to one machine, DHCP answers to everybody among them."""
    return [
        packet
        for packet in packets
        if mac in {packet.source_mac, packet.target_mac}
        or (_is_dhcp(packet) and packet.payload[_CHADDR] == bytes.fromhex(mac.replace(":", "")))
    ]


def next_stage(times: Mapping[str, float]) -> str | None:
    """Return the stage after the last that was reached, or None after the last of all."""
    reached = max((STAGES.index(stage) for stage in times), default=-1)
    return None if reached == len(STAGES) - 1 else STAGES[reached + 1]


def http_path(packet: Packet) -> str:
    """Return the path that this packet asks for with GET, or nothing."""
    if packet.protocol != TCP or not packet.payload.startswith(b"GET "):
        return ""
    return packet.payload.split(b" ", 2)[1].decode("ascii", "replace").partition("?")[0]


def tftp_path(packet: Packet) -> str:
    """Return the file name that this packet asks for by TFTP, or nothing."""
    if packet.protocol != UDP or packet.target_port != _TFTP_PORT or not packet.payload.startswith(_RRQ):
        return ""
    return packet.payload[2:].split(b"\0", 1)[0].decode("ascii", "replace")


def _nbp_transfer(packets: Sequence[Packet]) -> list[Packet]:
    """Return the data packets that answered the last request for a network boot program."""
    asked: Packet | None = None
    answers: list[Packet] = []
    for packet in packets:
        if (tftp_path(packet) or http_path(packet)).lower().endswith(_NBP_SUFFIXES):
            asked, answers = packet, []
        elif asked and packet.payload and _is_to(packet, asked):
            answers.append(packet)
    return answers


def _is_to(packet: Packet, asked: Packet) -> bool:
    own = (packet.protocol, packet.target, packet.target_port)
    return own == (asked.protocol, asked.source, asked.source_port)


def _is_router_ack(packet: Packet) -> bool:
    return packet.source == IPv4Address(ROUTER_ADDRESS) and _message_type(packet) == _ACK


def _is_ipxe(packet: Packet) -> bool:
    return b"iPXE" in _option(packet, _USER_CLASS)


def _message_type(packet: Packet) -> int:
    return int.from_bytes(_option(packet, _MESSAGE_TYPE))


def _is_dhcp(packet: Packet) -> bool:
    return packet.protocol == UDP and _DHCP_SERVER_PORT in {packet.source_port, packet.target_port}


def _option(packet: Packet, wanted: int) -> bytes:
    """Return a DHCP option's value, empty when the packet has none (or is no DHCP)."""
    if not _is_dhcp(packet):
        return b""
    options = packet.payload[_OPTIONS_START:]
    while options and options[0] != 255:
        if options[0] == 0:
            options = options[1:]
            continue
        code, length = options[0], options[1]
        if code == wanted:
            return options[2 : 2 + length]
        options = options[2 + length :]
    return b""
