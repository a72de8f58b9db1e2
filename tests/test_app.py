"""The daemon as a whole: it stops in stages, goes on without its database, and keeps its secrets."""

import asyncio
import random
import signal
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.fleets import ARDA, INITRAMFS, KERNEL
from support.talos_reports import event, publisher
from support.tftp_client import TftpClient
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventResponse
from iluvatar_pxe.tls.authority import open_authority
from iluvatar_pxe.wire.tftp.packet import Data, Error

MAC = "52:54:00:77:00:01"
PROGRAM = random.Random(1).randbytes(100_000)
MEGABYTES = 64
LARGE = random.Random(2).randbytes(1 << 20) * MEGABYTES
STOP_GUARD = 15.0
"""Seconds after which a stop has failed; it is to take less than 10."""
PRIVATE = ("unshare", "--mount", "--propagation", "private")


class Download:
    """A transfer by HTTP whose reader decides when to go on."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.received = self._socket.recv(65536)

    def rest(self) -> bytes:
        """Read on until the server closes, and return the body."""
        parts = [self.received]
        try:
            while chunk := self._socket.recv(1 << 20):
                parts.append(chunk)
        except ConnectionError:
            pass  # cut
        self._socket.close()
        return b"".join(parts).partition(b"\r\n\r\n")[2]


def prepared(directory: Path, **settings: dict[str, object]) -> Daemon:
    """Return a daemon with one Talos machine and all of its files, not started yet."""
    daemon = Daemon(directory, settings)
    files = {
        daemon.fleet / "fleet.yaml": b"",
        daemon.fleet / "layers/arda.yaml": ARDA.encode(),
        daemon.fleet
        / "machines/one.yaml": f"match: {{macs: ['{MAC}']}}\nchain: talos\nconfig: one.yaml\n".encode(),
        daemon.fleet / "one.yaml": b"machine: {}\n",
        daemon.assets / KERNEL: b"kernel",
        daemon.assets / INITRAMFS: b"initramfs",
        daemon.assets / "ipxe/undionly.kpxe": PROGRAM,
    }
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return daemon


def test_sigterm_lets_transfers_finish_and_cuts_those_that_stall(tmp_path: Path) -> None:
    daemon = prepared(tmp_path)
    (daemon.assets / "large").write_bytes(LARGE)
    with (
        daemon,
        TftpClient(daemon.tftp_port, "ipxe/undionly.kpxe") as finishing,
        TftpClient(daemon.tftp_port, "ipxe/undionly.kpxe") as stalling,
    ):
        reading, stuck = (Download(daemon.http_port, "/assets/large") for _ in range(2))
        idle = socket.create_connection(("127.0.0.1", daemon.http_port))
        first, second = finishing.receive(), stalling.receive()
        assert isinstance(first, Data)
        assert isinstance(second, Data)

        daemon.process.terminate()
        daemon.wait_for_log("stopping")
        wait_until(lambda: not accepts(daemon.http_port), "the port to be closed: nothing new is begun")
        daemon.process.terminate()
        daemon.process.send_signal(signal.SIGINT)
        assert finishing.finish(first) == PROGRAM
        assert reading.rest() == LARGE
        assert daemon.ends(STOP_GUARD) == 0

        assert isinstance(last_of(stalling), Error), "told that no more comes"
        assert len(stuck.rest()) < len(LARGE)
        idle.close()
        assert [line["event"] for line in daemon.log][-1] == "stopped"


def last_of(client: TftpClient) -> Data | Error:
    """Skip the retransmissions, up to the end."""
    packet = client.receive()
    while isinstance(packet, Data):
        packet = client.receive()
    return packet


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionError:
        return False
    return True


def may_mount(directory: Path) -> bool:
    try:
        command = [*PRIVATE, "mount", "-t", "tmpfs", "small", str(directory)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_stops_no_boot(tmp_path: Path) -> None:
    """A disk that is full before the daemon starts; fleet, key and CA are there from before."""
    if not may_mount(tmp_path):
        pytest.skip("needs root and unshare, to mount a small filesystem")
    state = tmp_path / "state"
    state.mkdir()
    open_authority(tmp_path / "tls", "host", "lab.home.arpa", datetime.now(UTC))
    fill = (
        f"mount -t tmpfs -o size=1m small {state} && cd {state} && mkdir assets fleet && : > fleet/fleet.yaml && "
        f"cp -a {tmp_path}/tls . && head -c 32 /dev/urandom > ticket.key; dd if=/dev/zero of=filler bs=4096 2>/dev/null; "
        'cd /; exec "$@"'
    )
    with Daemon(tmp_path, prefix=[*PRIVATE, "sh", "-c", fill, "sh"]) as daemon:
        for number in range(10):
            assert b"waits." in daemon.get(f"/ipxe?mac=52:54:00:00:00:{number:02x}")[1]
        status, report = daemon.ready()
        assert status == 503
        assert report["parts"]["database"].startswith(f"{state}/inventory.db: ")
        assert "full" in report["parts"]["database"] or "No space left" in report["parts"]["database"]
        Path(f"/proc/{daemon.process.pid}/root{state}/filler").unlink()
        wait_until(lambda: daemon.ready()[0] == 200, "the disk to have room again")
        assert daemon.stop() == 0


def test_the_first_machine_that_reports_waits_for_grpc_and_is_answered(tmp_path: Path) -> None:
    async def report() -> None:
        async with publisher(daemon.settings["talos"]["event_port"]) as sink:
            assert await sink.Publish(event("PhaseEvent", b""), timeout=PATIENCE) == EventResponse()

    with Daemon(tmp_path) as daemon:
        asyncio.run(report())
        assert daemon.stop() == 0
