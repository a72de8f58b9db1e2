"""The daemon of bench/counts.py, with machines to boot, and what firmware asks of it, one thing after the other."""

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, cycle, islice
from pathlib import Path

from support.daemon import loopback_settings, write_settings
from support.firmware_dhcp import broadcasting, frame_of
from support.fleets import CONFIGURED, INITRAMFS, KERNEL

from bench.callgrind import Counted, counted
from iluvatar_pxe.simulate.dhcp.messages import Options, firmware_discover
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import encode
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query
from iluvatar_pxe.wire.dns.types import Type
from iluvatar_pxe.wire.tftp.packet import Ack, ReadRequest
from iluvatar_pxe.wire.tftp.packet import encode as encode_tftp

HERE = "127.0.0.1"
DOMAIN = "lab.home.arpa"
MACHINES = 20
BLOCK, WINDOW = 1428, 16
WINDOWS = 50
"""Of the small file; the large one has twice as many."""
SMALL, LARGE = "ipxe/snponly.efi", "ipxe/ipxe.efi"
_LISTENS = '"event": "listening"'
_HARDWARE = "uuid=&serial=S-1&manufacturer=QEMU&product=Q35&arch=x86_64&platform=efi&version=1.21.1"
_CARD, _SEGMENT, _CARD_ADDRESS = "boot0", "machines", "10.78.0.1"
"""The daemon's interface to machines that are there by frames and by the neighbour table, what it is connected to, and its
address. The machines' addresses are this host's own besides, so that one process can ask from all of them."""
_PRIVATE_OPTION = 224
_AGENT, _MARK = "iPXE/1.21.1", " iluvatar-simulate"
_PROGRAM = """
import gc, sys
from datetime import timedelta
from iluvatar_pxe.inventory import repeats
repeats.FRESH = timedelta(days=1)
sys.setswitchinterval(60)
sys.setswitchinterval = lambda _: None
gc.disable = gc.enable = gc.collect = lambda *_: 0
gc.set_threshold(0)
gc.set_threshold = lambda *_: None
from iluvatar_pxe.__main__ import main
main()
"""
"""The daemon, without looks for garbage: one costs as much as hundreds of requests, and comes at any time. Nor does the first
thread, while it waits for the interpreter's lock, wake up to ask for it, and what was heard of a machine stays fresh for longer
than a second: how often either would be due is a matter of the host's load."""
_START_SECONDS, _ANSWER_SECONDS = 300.0, 60.0


class Asker:
    """A client of each server of the daemon, which plays all machines."""

    def __init__(self, ports: dict[str, int], sockets: ExitStack) -> None:
        self._ports = ports
        self._udp = sockets.enter_context(_udp(0))
        self._firmware = sockets.enter_context(_udp(ports["client"]))
        self._transactions, self._others = count(), count()
        self._questions = iter(range(1 << 16))

    def prove(self) -> None:
        """Have each machine ask for an offer in a frame of its own NIC, which proves who it is."""
        with broadcasting(_SEGMENT) as card:
            for mac in map(mac_of, range(MACHINES)):
                message = encode(firmware_discover(Machine(Kind.UEFI_X64, mac), next(self._transactions)))
                card.send(frame_of(card, message, mac))

    def offers(self, number: int) -> None:
        """Have machines ask for as many offers, one after the other and again, in other octets each time."""
        for machine in islice(cycle(range(MACHINES)), number):
            self._offer(machine, ((_PRIVATE_OPTION, next(self._others).to_bytes(4)),))

    def repeated_offers(self, number: int) -> None:
        """Have machines ask for as many offers in the octets of the time before, but for the transaction."""
        for machine in islice(cycle(range(MACHINES)), number):
            self._offer(machine, ())

    def _offer(self, machine: int, more: Options) -> None:
        transaction = next(self._transactions)
        message = firmware_discover(Machine(Kind.UEFI_X64, mac_of(machine)), transaction)
        message = replace(message, options=(*message.options, *more))
        self._firmware.sendto(encode(message), (HERE, self._ports["dhcp"]))
        answer = self._firmware.recv(2048)
        assert answer[4:8] == transaction.to_bytes(4), answer

    def scripts(self, number: int) -> None:
        """Have machines ask aiohttp for as many scripts, one after the other and again, in one connection."""
        with socket.create_connection((HERE, self._ports["http"]), _ANSWER_SECONDS) as http:
            for machine in islice(cycle(range(MACHINES)), number):
                self._script(http, machine, _AGENT + _MARK)

    def repeated_scripts(self, number: int) -> None:
        """Have machines ask for as many scripts again as they did before, each in a connection from its own address."""
        with ExitStack() as connections:
            machines = [
                connections.enter_context(
                    socket.create_connection((_CARD_ADDRESS, self._ports["http"]), _ANSWER_SECONDS, (own, 0))
                )
                for own in map(_address_of, range(MACHINES))
            ]
            for machine in islice(cycle(range(MACHINES)), number):
                self._script(machines[machine], machine, _AGENT)

    def _script(self, http: socket.socket, machine: int, agent: str) -> None:
        query = f"mac={mac_of(machine).hex(':')}&{_HARDWARE}"
        head = f"Host: {http.getpeername()[0]}:{self._ports['http']}\r\nUser-Agent: {agent}\r\n"
        http.sendall(f"GET /ipxe?{query} HTTP/1.1\r\n{head}\r\n".encode())
        answer = http.recv(1 << 16)
        assert b"starting Talos" in answer, answer

    def names(self, number: int) -> None:
        """Ask as often for the address of the same machine."""
        question = make_query(name_of(f"m0.{DOMAIN}"), Type.A)
        for _ in range(number):
            message = struct.pack("!H", next(self._questions)) + question[2:]
            self._udp.sendto(message, (HERE, self._ports["dns"]))
            answer = self._udp.recv(2048)
            assert (answer[:2], answer[6:8]) == (message[:2], b"\0\1"), answer

    def windows(self, number: int) -> None:
        """Fetch a file of as many windows, for each of which there is one ACK."""
        name = {WINDOWS: SMALL, 2 * WINDOWS: LARGE}[number]
        options = (("blksize", str(BLOCK)), ("windowsize", str(WINDOW)))
        self._udp.sendto(encode_tftp(ReadRequest(name, "octet", options)), (HERE, self._ports["tftp"]))
        oack, transfer = self._udp.recvfrom(2048)
        assert oack[:2] == b"\0\x06", oack
        self._udp.sendto(encode_tftp(Ack(0)), transfer)
        for block in range(1, number * WINDOW + 1):
            data = self._udp.recv(2048)
            assert (data[:2], data[2:4], len(data)) == (b"\0\x03", block.to_bytes(2), 4 + BLOCK)
            if block % WINDOW == 0:
                self._udp.sendto(encode_tftp(Ack(block)), transfer)
        self._udp.recv(2048)  # of no octets, which is the end
        self._udp.sendto(encode_tftp(Ack(number * WINDOW + 1)), transfer)


@contextmanager
def running(directory: Path) -> Iterator[tuple[Counted, Asker]]:
    """Run the daemon under Valgrind, in a network of this process's own; all that it has is in ``directory``."""
    _make_network()
    settings = loopback_settings(directory / "state")
    settings["network"] = {"interfaces": ["lo", _CARD]}
    settings["dhcp"] = {"port": 67, "pxe_port": 4011, "client_port": 68}
    settings["simulate"] = {"as_real": True}
    settings["dns"]["upstream"] = []
    settings["ntp"]["enabled"] = False
    write_settings(directory / "config.toml", settings)
    _write_fleet(directory / "state" / "fleet")
    _write_assets(directory / "state" / "assets")
    command = [sys.executable, "-c", _PROGRAM, "serve", "--config", str(directory / "config.toml")]
    ports = {name: settings[name]["port"] for name in ("dhcp", "tftp", "http", "dns")}
    with counted(command, directory) as daemon, ExitStack() as sockets:
        _wait_for_start(daemon)
        asker = Asker(ports | {"client": settings["dhcp"]["client_port"]}, sockets)
        asker.prove()
        yield daemon, asker


def mac_of(number: int) -> bytes:
    return bytes.fromhex("525400") + number.to_bytes(3)


def _address_of(number: int) -> str:
    return f"10.78.0.{number + 10}"


def _make_network() -> None:
    lines = [
        f"link add {_CARD} type veth peer name {_SEGMENT}",
        f"address add {_CARD_ADDRESS}/24 dev {_CARD}",
        f"link set {_CARD} up",
        f"link set {_SEGMENT} up",
    ]
    for number in range(MACHINES):
        address, mac = _address_of(number), mac_of(number).hex(":")
        lines.append(f"address add {address}/32 dev lo")
        lines.append(f"neighbour add {address} lladdr {mac} dev {_CARD} nud permanent")
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", check=True, text=True)


def _write_fleet(fleet: Path) -> None:
    for name in ("machines", "configs", "layers"):
        (fleet / name).mkdir(parents=True)
    (fleet / "fleet.yaml").write_text(f"domain: {DOMAIN}\n")
    (fleet / "layers" / "arda.yaml").write_text(CONFIGURED)
    for role in ("controlplane", "worker"):
        (fleet / "configs" / f"{role}.yaml").write_text(f"machine: {{type: {role}}}\n")
    for number in range(MACHINES):
        address = f"address: 10.77.{number >> 8}.{number & 255}\n"
        lines = f'match: {{macs: ["{mac_of(number).hex(":")}"]}}\nlayer: arda\nrole: worker\n{address}'
        (fleet / "machines" / f"m{number}.yaml").write_text(lines)


def _write_assets(assets: Path) -> None:
    sizes = {KERNEL: 2, INITRAMFS: 2, SMALL: WINDOWS, LARGE: 2 * WINDOWS}
    for name, size in sizes.items():
        (assets / name).parent.mkdir(parents=True, exist_ok=True)
        (assets / name).write_bytes(b"MZ" + bytes(size * WINDOW * BLOCK - 2))


def _wait_for_start(daemon: Counted) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while _LISTENS not in daemon.log:
        if daemon.has_ended or time.monotonic() > deadline:
            sys.exit(f"the daemon does not listen:\n{daemon.log}")
        time.sleep(0.2)


def _udp(port: int) -> socket.socket:
    made = socket.socket(type=socket.SOCK_DGRAM)
    made.bind((HERE, port))
    made.settimeout(_ANSWER_SECONDS)
    return made
