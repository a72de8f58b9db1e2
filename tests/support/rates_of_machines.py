"""How often machines ask, beside how often their firmware does: facts, and not taken from ``simulate/timings.py``."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from support.rates import BOOT_SERVER_PORT, DHCP_PORT, TFTP_PORT, Seconds, Transfer, too_soon, transfers

from iluvatar_pxe.lab.watch.capture import UDP, Packet
from iluvatar_pxe.simulate.machine import Kind
from iluvatar_pxe.wire import dhcp
from iluvatar_pxe.wire.dhcp import MessageType, Option
from iluvatar_pxe.wire.tftp import packet as tftp

_BOOT_SERVER = (1, 2, 3, 4)  # PXE 2.1 section 2.2.3
_IPXE = dict.fromkeys(("REQUEST", "4011", "RRQ", "ACK"), (0.25, 0.5, 1, 2, 4, 8))
_PC = {"4011": _BOOT_SERVER, "RRQ": (4,), "ACK": (4,)}
_PI = {"RRQ": (2,), "ACK": (30,)}  # rpi-eeprom#74; DATA is the server's to repeat
_UEFI = _PC | {"DISCOVER": (3.6, 8, 16, 32), "REQUEST": (4, 8, 16, 32)}  # OVMF and AAVMF 2022.11
_EEPROM = _PI | {"DISCOVER": (4, 8, 16), "REQUEST": (4,)}  # rpi-eeprom#58
IPXE: Mapping[str, Seconds] = _IPXE | {"DISCOVER": (1, 2, 4, 8)}
FIRMWARE: Mapping[Kind, Mapping[str, Seconds]] = dict.fromkeys(Kind, _UEFI) | {
    Kind.BIOS: _PC | {"DISCOVER": (4, 8, 16, 32), "REQUEST": _BOOT_SERVER},  # PXE 2.1 section 2.2.1
    Kind.IPXE: IPXE,
    Kind.PI3: _PI | {"DISCOVER": (5,)},
    Kind.PI4: _EEPROM,
    Kind.PI5: _EEPROM,
}


@dataclass(frozen=True)
class Ask:
    """A DHCP message or an RRQ, which are repeated when they have the same identity."""

    time: float
    what: str
    identity: tuple[object, ...]
    waits: Mapping[str, Seconds]
    port: int
    windowsize: int = 1


def faults_of_machines(packets: Sequence[Packet], kinds: Mapping[str, Kind]) -> list[str]:
    """Judge machines, by MAC, from what passed at their own end of the cable."""
    return [
        f"{kind} {mac}: {fault}"
        for mac, kind in kinds.items()
        for fault in _faults(mac, FIRMWARE[kind], packets)
    ]


def _faults(mac: str, waits: Mapping[str, Seconds], packets: Sequence[Packet]) -> Iterator[str]:
    asked = [ask for packet in packets if packet.source_mac == mac and (ask := _ask(packet, waits))]
    if not asked:
        yield "asks for nothing: the capture does not show it"
    for (what, _), run in groupby(asked, key=lambda ask: (ask.what, ask.identity)):
        same = list(run)
        yield from too_soon(what, [ask.time for ask in same], same[0].waits[what])
    requests = {ask.port: ask for ask in asked if ask.what == "RRQ"}
    yield from _acks_too_soon(mac, requests, packets)


def _ask(packet: Packet, waits: Mapping[str, Seconds]) -> Ask | None:
    """Read what a machine asks; None for everything else."""
    if packet.protocol != UDP:
        return None
    time, port = packet.time, packet.source_port
    if packet.target_port == TFTP_PORT and isinstance(rrq := tftp.decode(packet.payload), tftp.ReadRequest):
        own = IPXE if rrq.filename.endswith("autoexec.ipxe") else waits
        return Ask(time, "RRQ", (port, rrq), own, port, int(dict(rrq.options).get("windowsize", "1")))
    if packet.target_port not in {DHCP_PORT, BOOT_SERVER_PORT}:
        return None
    message = dhcp.decode(packet.payload)
    own = IPXE if b"iPXE" in (message.option(Option.USER_CLASS) or b"") else waits
    what = "DISCOVER" if message.message_type is MessageType.DISCOVER else "REQUEST"
    return Ask(time, "4011" if packet.target_port == BOOT_SERVER_PORT else what, (message.xid,), own, port)


def _acks_too_soon(mac: str, requests: Mapping[int, Ask], packets: Sequence[Packet]) -> Iterator[str]:
    """Judge ACKs of the same block: each answers something that came, or its wait is over (RFC 1350, RFC 7440)."""
    came: Counter[tuple[Transfer, int]] = Counter()
    sent: Counter[tuple[Transfer, int]] = Counter()
    last: dict[tuple[Transfer, int], float] = {}
    for packet in transfers(packets):
        content = tftp.decode(packet.payload)
        if packet.target_mac == mac and isinstance(content, tftp.Data | tftp.OptionAck):
            block = content.block if isinstance(content, tftp.Data) else 0
            came[(mac, packet.target_port, packet.source_port), block] += 1
        elif packet.source_mac == mac and isinstance(content, tftp.Ack):
            transfer, request = (mac, packet.source_port, packet.target_port), requests[packet.source_port]
            key = transfer, content.block
            sent[key] += 1
            window = range(content.block, content.block + request.windowsize + 1)
            if sent[key] > sum(came[transfer, block] for block in window):
                times = last.get(key, packet.time), packet.time
                yield from too_soon(f"ACK {content.block}", times, request.waits["ACK"])
            last[key] = packet.time
