"""How often our server answers: once what it was asked, and again only by its own clock."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from support.rates import (
    BOOT_SERVER_PORT,
    DHCP_PORT,
    SLACK,
    TFTP_PORT,
    Transfer,
    is_transfer,
    too_soon,
    transfers,
)

from iluvatar_pxe.lab.room.network import SERVER_ADDRESS
from iluvatar_pxe.lab.watch.capture import UDP, Packet
from iluvatar_pxe.wire import dhcp
from iluvatar_pxe.wire.dhcp import MessageType

SERVER = IPv4Address(SERVER_ADDRESS)
PI3 = bytes.fromhex("b827eb")
PI3_DELAY = 1.0
"""Seconds before which a Pi 3's ROM misses a proxy's offer (raspberrypi/firmware#859, #862)."""
RETRANSMISSIONS = (1, 2, 4, 8)
"""Seconds; a Pi counts DATA that is repeated sooner as new (raspberrypi/firmware#1631)."""


def faults_of_server(packets: Sequence[Packet]) -> list[str]:
    """Judge the server from what passed at its end of the cable."""
    udp = [packet for packet in packets if packet.protocol == UDP]
    return [*_dhcp_faults(udp), *_answers_unasked(udp), *_repeated_too_soon(udp)]


def _dhcp_faults(packets: Sequence[Packet]) -> Iterator[str]:
    """Judge offers and boot server's ACKs: no more than were asked for, a Pi 3's not at once."""
    asked: defaultdict[tuple[int, int, bytes], list[float]] = defaultdict(list)
    answered: Counter[tuple[int, int, bytes]] = Counter()
    waiting: dict[bytes, float] = {}
    for packet in packets:
        if {packet.source_port, packet.target_port}.isdisjoint({DHCP_PORT, BOOT_SERVER_PORT}):
            continue
        message = dhcp.decode(packet.payload)
        mac = message.chaddr
        if _asks_proxy(packet, message):
            asked[packet.target_port, message.xid, mac].append(packet.time)
            waiting.setdefault(mac, packet.time)
        elif packet.source == SERVER:
            key = packet.source_port, message.xid, mac
            answered[key] += 1
            if answered[key] > len(asked[key]):
                yield f"{mac.hex(':')}: {answered[key]} answers from {key[0]} to {len(asked[key])} messages"
            delay = packet.time - waiting.pop(mac, 0.0)
            if mac.startswith(PI3) and delay < PI3_DELAY - SLACK:
                yield f"{mac.hex(':')}: a Pi 3 is offered a boot after {delay:.3f} s"


def _asks_proxy(packet: Packet, message: dhcp.DhcpMessage) -> bool:
    wanted = {DHCP_PORT: MessageType.DISCOVER, BOOT_SERVER_PORT: MessageType.REQUEST}
    return packet.source != SERVER and wanted.get(packet.target_port) is message.message_type


def _answers_unasked(packets: Sequence[Packet]) -> Iterator[str]:
    """Judge transfers: each RRQ that came in begins one at most, and somebody who asked is answered."""
    asked: Counter[tuple[str, int]] = Counter()
    begun: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for packet in packets:
        if packet.target_port == TFTP_PORT:
            asked[packet.source_mac, packet.source_port] += 1
        elif is_transfer(packet) and packet.source == SERVER:
            client = packet.target_mac, packet.target_port
            begun[client].add(packet.source_port)
            if len(begun[client]) > asked[client]:
                yield f"{client}: {len(begun[client])} transfers for {asked[client]} RRQs"
    yield from (f"{client}: an RRQ is not answered" for client in asked if client not in begun)


def _repeated_too_soon(packets: Sequence[Packet]) -> Iterator[str]:
    """Judge OACKs, blocks and ERRORs that go out again; an ACK restarts a window at once (RFC 7440 section 4)."""
    windowed = {
        (packet.source_mac, packet.source_port)
        for packet in packets
        if packet.target_port == TFTP_PORT and b"windowsize" in packet.payload
    }
    sent: dict[tuple[Transfer, bytes], list[float]] = {}
    for packet in transfers(packets):
        if packet.source == SERVER:
            key = (packet.target_mac, packet.target_port, packet.source_port), packet.payload[:4]
            sent[key] = [*sent.get(key, []), packet.time]
        elif (packet.source_mac, packet.source_port) in windowed:
            transfer = packet.source_mac, packet.source_port, packet.target_port
            sent = {key: times for key, times in sent.items() if key[0] != transfer}
            continue
        else:
            continue
        yield from too_soon(f"{key[0]}: {key[1].hex()}", sent[key], RETRANSMISSIONS)
