"""Files are sent in turns: nobody waits for a disk or a client that is slow, and what ends early is never taken for whole."""

import asyncio
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs
from support.waiting import until, wait_until
from support.web import Web, response_of, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.servers.http.connections import GuardedConnection
from iluvatar_pxe.servers.http.sending import LEAST, MOST, THREADS, TURN, FileSender, fitting

LARGE = random.Random(8).randbytes((24 << 20) + 777)
ASK = b"GET /assets/large HTTP/1.1\r\nHost: 127.0.0.1\r\n"
LAST = b"Connection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path) as running:
        running.put("large", LARGE)
        yield running


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that answers nobody until this is set."""
    answers = threading.Event()
    real = os.sendfile

    def sendfile(*args: int) -> int:
        answers.wait()
        return real(*args)

    monkeypatch.setattr(os, "sendfile", sendfile)
    yield answers
    answers.set()


def plain(served: Web) -> socket.socket:
    return served.connect(receive_buffer=4096)


def secured(served: Web) -> socket.socket:
    authority = served.certificates.authority
    assert authority
    context = ssl.create_default_context(cadata=authority.document.decode())
    return context.wrap_socket(
        served.connect(receive_buffer=4096, tls=True), server_hostname="127.0.0.1", suppress_ragged_eofs=False
    )


def the_rest(sock: socket.socket) -> bytes:
    octets = bytearray()
    with suppress(ConnectionError, ssl.SSLError):
        while chunk := sock.recv(1 << 20):
            octets += chunk
    return bytes(octets)


def connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        return listening.accept()[0], theirs


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_ten_clients_get_the_file_at_once(served: Web) -> None:
    with ThreadPoolExecutor(THREADS + 2) as clients:
        answers = list(clients.map(lambda _: served.get("/assets/large").body, range(THREADS + 2)))
    assert all(answer == LARGE for answer in answers)


@pytest.mark.parametrize("connect", [plain, secured])
def test_head_range_and_the_next_request_on_one_connection(
    served: Web, connect: Callable[[Web], socket.socket]
) -> None:
    with connect(served) as sock:
        sock.sendall(ASK.replace(b"GET", b"HEAD") + b"\r\n")
        assert f"content-length: {len(LARGE)}".encode() in sock.recv(4096).lower()
        sock.sendall(ASK + b"Range: bytes=5000000-14999999\r\n\r\n" + ASK + LAST)
        first, _, second = the_rest(sock).partition(LARGE[5_000_000:15_000_000])
    assert first.startswith(b"HTTP/1.1 206")
    assert response_of(second).body == LARGE


def test_a_disk_that_does_not_answer_keeps_nobody_else_waiting(served: Web, held: threading.Event) -> None:
    with served.connect() as sock:
        sock.sendall(ASK + LAST)
        head = sock.recv(4096)
        assert served.get("/healthz").status == 200
        held.set()
        assert response_of(head + the_rest(sock)).body == LARGE


def test_clients_that_take_nothing_hold_no_thread(served: Web) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS + 1):
            stack.enter_context(plain(served)).sendall(ASK + LAST)
        assert served.get("/assets/large").body == LARGE


def test_a_client_that_has_said_its_last_word_gets_all_of_it(served: Web) -> None:
    with plain(served) as sock:
        sock.sendall(ASK + LAST)
        begun = sock.recv(1000)
        sock.shutdown(socket.SHUT_WR)
        assert response_of(begun + the_rest(sock)).body == LARGE


def test_a_client_that_goes_leaves_no_descriptor(served: Web) -> None:
    before = descriptors()
    with capture_logs() as logs:
        for _ in range(3):
            with plain(served) as sock:
                sock.sendall(ASK + LAST)
                assert sock.recv(1000)
        wait_until(lambda: descriptors() <= before, "the end of the transfers")
    assert {line["event"] for line in logs} == {"http.aborted"}


def shorten(path: Path) -> None:
    os.truncate(path, 16 << 20)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(16 << 20)
        file.write(bytes(1 << 20))


@pytest.mark.parametrize("connect", [plain, secured])
@pytest.mark.parametrize(
    ("change", "told"), [(shorten, "the file became shorter"), (overwrite, "the file was changed")]
)
def test_a_file_that_is_changed_breaks_the_connection(
    served: Web, connect: Callable[[Web], socket.socket], change: Callable[[Path], None], told: str
) -> None:
    with connect(served) as sock, capture_logs() as logs:
        sock.sendall(ASK + b"\r\n" + ASK + LAST)
        begun = sock.recv(1000)
        change(served.assets / "large")
        body = response_of(begun + the_rest(sock)).body
        wait_until(lambda: logs, "the line of log")
    assert len(body) < len(LARGE)
    assert LARGE.startswith(body[: 16 << 20])
    assert [(line["event"], line["why"]) for line in logs] == [
        ("http.aborted", f"{told} while it was sent; ask again")
    ]


def test_a_file_that_is_changed_in_the_only_call_that_sends_it_is_never_whole(
    served: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = LARGE[: LEAST // 2]
    served.put("small", small)
    real = os.sendfile

    def sendfile(*args: int) -> int:
        sent = real(*args)
        os.utime(served.assets / "small", (1, 1))
        return sent

    with plain(served) as sock:
        monkeypatch.setattr(os, "sendfile", sendfile)
        sock.sendall(ASK.replace(b"large", b"small") + LAST)
        assert 0 < len(response_of(the_rest(sock)).body) < len(small)


def test_a_connection_that_the_server_loses_is_sent_nothing_more(served: Web) -> None:
    """As when the process ends: descriptors of a transfer's own must not keep it open."""
    before = descriptors()
    with plain(served) as sock, capture_logs() as logs:
        sock.sendall(ASK + LAST)
        assert sock.recv(1000)
        lost = [one for one in connections_of(served) if one.is_served]
        served.call(lose(lost[0]))
        wait_until(lambda: logs, "the line of log")
        assert len(the_rest(sock)) < len(LARGE)
    wait_until(lambda: descriptors() <= before, "the end of the transfer")


def connections_of(served: Web) -> list[GuardedConnection]:
    server = served.server._runner.server
    assert server
    return cast("list[GuardedConnection]", server.connections)


async def lose(connection: GuardedConnection) -> None:
    assert connection.transport
    connection.transport.abort()


async def test_what_is_cancelled_keeps_its_descriptors_until_its_thread_is_done(
    tmp_path: Path, held: threading.Event
) -> None:
    (tmp_path / "file").write_bytes(LARGE)
    sender, before = FileSender(ProtocolMeter()), descriptors()
    ours, theirs = connected()
    file = await FileSource.open(ListedFile(tmp_path / "file"))
    with ours, theirs:
        sending = asyncio.create_task(sender.send(ours, file, 0, 1000))
        await until(lambda: descriptors() == before + 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert descriptors() == before + 5
        held.set()
        await until(lambda: descriptors() == before + 3)
    await file.close()
    await sender.close()


@pytest.mark.parametrize(
    ("number", "expected"),
    [(5, AssetError), (32, ConnectionError), (104, ConnectionError), (110, AssetError)],
)
async def test_a_faulty_disk_and_a_client_that_is_gone_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    (tmp_path / "file").write_bytes(LARGE)

    def sendfile(*_: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sendfile", sendfile)
    sender = FileSender(ProtocolMeter())
    file = await FileSource.open(ListedFile(tmp_path / "file"))
    ours, theirs = connected()
    with ours, theirs, pytest.raises(expected):
        await sender.send(ours, file, 0, 1000)
    await file.close()
    await sender.close()


@pytest.mark.parametrize(
    ("count", "seconds", "next_count"),
    [
        (LEAST, 0.0, MOST),
        (MOST, 0.001, MOST),
        (LEAST, TURN, LEAST),
        (MOST, TURN, MOST // 4),
        (1 << 20, TURN / 8, 2 << 20),
        (1, 3600.0, LEAST),
    ],
)
def test_a_call_sends_what_a_client_takes_in_a_part_of_its_turn(
    count: int, seconds: float, next_count: int
) -> None:
    assert fitting(count, seconds) == next_count
