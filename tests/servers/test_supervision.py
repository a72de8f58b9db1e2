"""A daemon whose service manager this test plays: told when it is ready, fed while all is well, and never else."""

import asyncio
import re
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from support.daemon import HERE, Daemon, loopback_settings
from support.waiting import until, wait_until

from iluvatar_pxe.app.app import App
from iluvatar_pxe.gitops.changes.starter import plant_starter_fleet
from iluvatar_pxe.host.service_manager import ServiceManager
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.servers.self_check import SelfCheck, parse_udp_sockets
from iluvatar_pxe.servers.supervision import status_line
from iluvatar_pxe.settings.model import Settings

PATIENCE = 1.0
WATCHDOG_SECONDS = 4.0
PASS_SOCKET = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen()
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def systemd(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen to what a daemon started inside the block tells."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(directory / "notify"))
        sock.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(directory / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_SECONDS * 1e6)))
        yield sock


def heard(sock: socket.socket, beginning: str) -> str:
    """Return the next message that begins so."""
    while not (message := sock.recv(4096).decode()).startswith(beginning):
        pass
    return message


def test_it_tells_all_its_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with systemd(tmp_path, monkeypatch) as sock:
        daemon = Daemon(tmp_path, command=HERE)
        daemon.start()
        try:
            assert sock.recv(4096) == b"READY=1", "nothing else comes first"
            assert daemon.listens(), "all is bound by then"
            assert heard(sock, "STATUS=") == "STATUS=0 machines, 0 booting, window open 23 h 59 min"
            heard(sock, "WATCHDOG=1")
            heard(sock, "WATCHDOG=1")
            daemon.process.send_signal(signal.SIGHUP)
            assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", heard(sock, "RELOADING"))
            heard(sock, "READY=1")
            daemon.process.send_signal(signal.SIGTERM)
            heard(sock, "STOPPING=1")
            assert daemon.ends() == 0
        finally:
            daemon.__exit__()
        unusual = {line["event"] for line in daemon.log if line["level"] != "info"}
        assert unusual <= {"assets.missing", "boot.lacking", "dhcp.no_proof"}, (
            "the self-check leaves no trace"
        )


def test_a_hangup_before_it_can_act_waits(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, command=HERE)
    daemon.start()
    blocked = f"/proc/{daemon.process.pid}/status"
    try:
        wait_until(lambda: re.search(r"SigBlk:\t0*1\n", Path(blocked).read_text()), "its first step")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for_log("listening")
        assert daemon.stop() == 0
    finally:
        daemon.__exit__()


def test_a_socket_that_systemd_opened_is_used_and_stays(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "control.sock"
    with Daemon(tmp_path, prefix=[sys.executable, "-c", PASS_SOCKET, str(path)]) as daemon:
        before = path.stat().st_ino
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /api/v1/enrolment HTTP/1.0\r\n\r\n")
            assert b"200 OK" in sock.recv(100)
        assert daemon.stop() == 0
    assert path.stat().st_ino == before


def test_it_asks_for_more_descriptors_than_a_process_is_given(tmp_path: Path) -> None:
    with Daemon(tmp_path, prefix=["prlimit", "--nofile=256:4096"]) as daemon:
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert re.search(r"Max open files +4096 +4096 ", limits)


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[App]:
    """Run the parts that can be asked."""
    plant_starter_fleet(directory / "fleet")
    app = await App.build(Settings.model_validate(loopback_settings(directory)))
    await app.bind(lambda _interfaces: None)
    serving = asyncio.create_task(app.parts.tftp.run())
    naming = asyncio.create_task(app.parts.names.run())
    await until(lambda: app.parts.names.server.listening)
    try:
        yield app
    finally:
        await app._open.aclose()
        await serving
        naming.cancel()
        await asyncio.wait([naming])
        await app.close()


async def _nothing(_: App) -> None: ...


async def _stop_http(app: App) -> None:
    await app.parts.http.close(0)


async def _stop_tftp_reading(app: App) -> None:
    for listener in app.parts.tftp._listeners:
        asyncio.get_running_loop().remove_reader(listener._socket)


async def _stop_dns_reading(app: App) -> None:
    for listener in app.parts.names.server._listeners:
        asyncio.get_running_loop().remove_reader(listener.udp._socket)


async def _stop_dhcp(app: App) -> None:
    app.parts.dhcp.close()


async def _stop_control(app: App) -> None:
    sock = socket.socket(socket.AF_UNIX)  # what a dead process leaves
    await app.parts.control.close()
    sock.bind(str(app.parts.settings.control_socket))
    sock.close()


async def _remove_control_socket(app: App) -> None:
    app.parts.settings.control_socket.unlink()


async def _hold_threads(_: App) -> None:
    release = threading.Event()
    loop = asyncio.get_running_loop()
    for _number in range(64):
        loop.run_in_executor(None, release.wait)
    loop.call_later(3 * PATIENCE, release.set)


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (_nothing, None),
        (_stop_http, r"HTTP at 127\.0\.0\.1:\d+, HTTP at 127\.0\.0\.1:\d+"),
        (_stop_tftp_reading, r"TFTP at 127\.0\.0\.1:\d+"),
        (_stop_dns_reading, r"DNS at 127\.0\.0\.1:\d+"),
        (_stop_dhcp, r"DHCP at \S+, DHCP at \S+, DHCP at \S+"),
        (_stop_control, r"/\S+/control\.sock"),
        (_remove_control_socket, r"/\S+/control\.sock"),
        (_hold_threads, r"/\S+/control\.sock, the threads that read files"),
    ],
)
async def test_what_does_not_answer_is_found(
    tmp_path: Path, harm: Callable[[App], Awaitable[None]], problem: str | None
) -> None:
    async with running(tmp_path) as app:
        await harm(app)
        found = await SelfCheck(
            app.parts.settings, app.parts.tftp, app.parts.names.server, app.parts.watch
        ).problem(PATIENCE)
    assert found is None if problem is None else re.fullmatch(f"no answer from {problem}", found or "")


async def test_without_a_free_descriptor_it_is_crowded(tmp_path: Path) -> None:
    """As when clients of the LAN have used them up."""
    async with running(tmp_path) as app:
        check = SelfCheck(app.parts.settings, app.parts.tftp, app.parts.names.server, app.parts.watch)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            assert await check.problem(PATIENCE) is None
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert check.blocked_by is None


async def test_a_dead_part_starves_the_watchdog(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(address)
        async with running(tmp_path) as app:
            await _stop_dhcp(app)
            app.parts.supervision._manager = ServiceManager(address, watchdog=0.2)
            task = asyncio.create_task(app.parts.supervision.run())
            await asyncio.sleep(1.0)
            task.cancel()
        told = sock.recv(4096)
        with pytest.raises(BlockingIOError):
            sock.recv(4096)
    assert told.startswith(b"STATUS=")


@pytest.mark.parametrize(
    ("seconds", "window"), [(0.0, "closed"), (59.0, "open 0 h 0 min"), (11_460.0, "open 3 h 11 min")]
)
def test_the_status(seconds: float, window: str) -> None:
    assert status_line(Snapshot(), seconds) == f"0 machines, 0 booting, window {window}"


def test_the_kernels_table_of_sockets() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert sock.getsockname() in parse_udp_sockets(Path("/proc/self/net/udp").read_text())
