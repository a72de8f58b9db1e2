"""1,000 clients begin to boot and are never heard of again: the next one boots at once, and nothing is left over."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.proxy import discover
from support.tftp_client import TftpClient
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.servers.http.connections import LIMITS
from iluvatar_pxe.wire.dhcp import Option, decode, encode
from iluvatar_pxe.wire.tftp import packet as tftp

IMPATIENT = """
from iluvatar_pxe.wire.tftp import transfer
transfer.RETRANSMISSIONS = 1
from iluvatar_pxe.cli.main import main
main()
"""
"""A daemon that gives a silent TFTP client up after 3 seconds instead of 31."""
PROGRAM = "ipxe/snponly.efi"
CONTENT = bytes(range(256)) * 400
CLIENTS, AT_ONCE, BY_HTTP = 1000, 100, 200
MAX_TRANSFERS = 256
OPTIONS = (("tsize", "0"), ("blksize", "1468"), ("windowsize", "4"))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    prepared = Daemon(tmp_path, command=[sys.executable, "-c", IMPATIENT])
    program = prepared.assets / PROGRAM
    program.parent.mkdir(parents=True)
    program.write_bytes(CONTENT)
    with prepared as running:
        yield running


class Client:
    """A machine with an address and a card of its own, until it loses power: nothing tells the daemon."""

    def __init__(self, daemon: Daemon, number: int) -> None:
        self._daemon = daemon
        self.address = f"127.1.{number >> 8}.{number & 0xFF}"
        self._mac = f"52:54:00:78:{number >> 8:02x}:{number & 0xFF:02x}"
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._socket.bind((self.address, 0))

    def asks_for_a_boot(self) -> None:
        request = encode(discover(7, mac=self._mac))
        self._socket.sendto(request, ("127.0.0.1", self._daemon.settings["dhcp"]["port"]))

    def is_offered(self) -> str:
        """Wait for the offer, and return the program that it names."""
        return (decode(self._socket.recv(4096)).option(Option.BOOT_FILE) or b"").rstrip(b"\0").decode()

    def begins_to_fetch(self) -> None:
        wanted = tftp.encode(tftp.ReadRequest(PROGRAM, "octet", OPTIONS))
        self._socket.sendto(wanted, ("127.0.0.1", self._daemon.tftp_port))

    def is_told_the_size(self) -> int:
        """Wait for the first answer of the transfer, and return the size of the file."""
        packet = tftp.decode(self._socket.recv(4096))
        assert isinstance(packet, tftp.OptionAck), packet
        return int(dict(packet.options)["tsize"])

    def vanish(self) -> None:
        self._socket.close()


def half_a_request(daemon: Daemon, number: int) -> socket.socket:
    sock = socket.socket()
    sock.bind((f"127.1.{number >> 8}.{number & 0xFF}", 0))
    sock.connect(("127.0.0.1", daemon.http_port))
    sock.sendall(f"GET /assets/{PROGRAM} HTTP/1.1\r\nHost: 127.".encode())
    return sock


def boots(daemon: Daemon, number: int) -> None:
    """Boot as the next machine: an offer, its program by TFTP and by HTTP."""
    client = Client(daemon, number)
    client.asks_for_a_boot()
    assert client.is_offered() == PROGRAM
    with TftpClient(daemon.tftp_port, PROGRAM) as fetching:
        first = fetching.receive()
        assert isinstance(first, tftp.Data)
        assert fetching.finish(first) == CONTENT
    assert daemon.get(f"/assets/{PROGRAM}") == (200, CONTENT)
    client.vanish()


def descriptors(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def begin_and_vanish(clients: list[Client]) -> None:
    for client in clients:
        client.asks_for_a_boot()
    for client in clients:
        assert client.is_offered() == PROGRAM
        client.begins_to_fetch()
    for client in clients:
        assert client.is_told_the_size() == len(CONTENT)
        client.vanish()


def test_1000_clients_vanish_at_once(daemon: Daemon) -> None:
    boots(daemon, CLIENTS)
    before = descriptors(daemon)
    with ExitStack() as connections:
        for start in range(0, CLIENTS, AT_ONCE):
            begin_and_vanish([Client(daemon, number) for number in range(start, start + AT_ONCE)])
        for number in range(BY_HTTP):
            connections.enter_context(half_a_request(daemon, number))
        boots(daemon, CLIENTS + 1)
        assert descriptors(daemon) <= before + 2 * MAX_TRANSFERS + LIMITS.total
    wait_until(lambda: descriptors(daemon) <= before, "everything of them to be given up")
    boots(daemon, CLIENTS + 2)
