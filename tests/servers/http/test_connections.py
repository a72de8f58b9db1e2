"""Connections have a cap, for each client and in all, and one whose client takes nothing is cut off."""

import math
import random
import socket
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from aiohttp.web_protocol import RequestHandler
from structlog.testing import capture_logs
from support.waiting import PATIENCE, wait_until
from support.web import Web, response_of, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.ratelimit import RateLimiter
from iluvatar_pxe.servers.http.connections import LIMITS, Limits, Progress

LARGE = random.Random(3).randbytes(16 << 20)
ASK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ASK_LARGE = b"GET /assets/large HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
CROWD = "127.0.0.2"


@pytest.fixture(autouse=True)
def nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})


def is_served(sock: socket.socket) -> bool:
    """Ask for something small; an answer says that the server let this connection in."""
    try:
        sock.sendall(ASK)
        return sock.recv(1000).endswith(b"ok\n")
    except ConnectionError:
        return False


def is_served_now(served: Web, client: str) -> bool:
    with served.connect(client) as sock:
        return is_served(sock)


def the_rest(sock: socket.socket) -> bytes:
    """Return what still comes until the server ends the connection in any way."""
    octets = bytearray()
    with suppress(ConnectionError):
        while chunk := sock.recv(1 << 20):
            octets += chunk
    return bytes(octets)


def test_the_limits_are_those_that_are_promised() -> None:
    assert (LIMITS.each, LIMITS.total, LIMITS.header, LIMITS.stall) == (64, 512, 10, 60)


def test_a_new_connection_ends_the_longest_silent_one_of_its_client(tmp_path: Path) -> None:
    with web(tmp_path, limits=Limits(each=3)) as served, ExitStack() as stack:
        other = stack.enter_context(served.connect("127.0.0.3"))
        held = [stack.enter_context(served.connect(CROWD)) for _ in range(3)]
        assert is_served(held[0])
        assert is_served_now(served, CROWD)
        assert [is_served(sock) for sock in (other, *held)] == [True, True, False, True]


def test_a_new_connection_ends_the_longest_silent_one_of_all(tmp_path: Path) -> None:
    with web(tmp_path, limits=Limits(each=2, total=4)) as served, ExitStack() as stack:
        held = [stack.enter_context(served.connect(f"127.0.1.{number}")) for number in (1, 1, 2, 2)]
        assert is_served(held[0])
        assert is_served_now(served, "127.0.0.1")
        assert [is_served(sock) for sock in held] == [True, False, True, True]


def test_one_nic_with_ten_addresses_keeps_nobody_from_being_served(tmp_path: Path) -> None:
    addresses = [f"127.0.2.{number}" for number in range(1, 11)]
    with web(tmp_path) as served, ExitStack() as stack:
        served.neighbours.update(dict.fromkeys(map(IPv4Address, addresses), "02:00:00:00:00:66"))
        served.put("large", LARGE)
        booting = stack.enter_context(served.connect())
        booting.sendall(ASK_LARGE)
        first = booting.recv(1000)
        for address in addresses * LIMITS.each:
            stack.enter_context(served.connect(address))
        assert is_served_now(served, "127.0.0.3")
        wait_until(lambda: len(connections_of(served)) <= LIMITS.each + 2, "the end of the oldest")
        assert response_of(first + the_rest(booting)).body == LARGE


@pytest.mark.parametrize("octets", [b"", ASK[:-2]], ids=["silent", "half a header"])
def test_the_first_header_has_to_end_in_time(tmp_path: Path, octets: bytes) -> None:
    with web(tmp_path, limits=Limits(header=0.2)) as served, served.connect() as sock, capture_logs() as logs:
        sock.sendall(octets)
        the_rest(sock)
    assert [(line["event"], line["seconds"]) for line in logs] == [("http.silent", 0.2)]


def test_every_other_header_has_to_end_in_time(tmp_path: Path) -> None:
    with web(tmp_path, limits=Limits(header=1.0)) as served, served.connect() as sock, capture_logs() as logs:
        assert is_served(sock)
        sock.sendall(ASK[:-2])
        the_rest(sock)
    assert [(line["event"], line["seconds"]) for line in logs] == [("http.silent", 1.0)]


def test_a_connection_between_two_requests_and_a_slow_download_outlive_the_time_of_a_header(
    tmp_path: Path,
) -> None:
    with (
        web(tmp_path, limits=Limits(header=1.0)) as served,
        served.connect() as idle,
        served.connect(receive_buffer=2048) as slow,
        served.connect() as silent,
    ):
        served.put("large", LARGE)
        assert is_served(idle)
        slow.sendall(ASK_LARGE)
        assert the_rest(silent) == b"", "the time has passed"
        assert is_served(idle)
        assert response_of(the_rest(slow)).body == LARGE


@pytest.mark.parametrize("before", [b"", ASK], ids=["the first request", "a later one"])
def test_a_client_that_sends_no_more_is_answered(tmp_path: Path, before: bytes) -> None:
    """Also one that says so in the packet of its request, as nc -N does."""
    with web(tmp_path) as served, served.connect() as sock:
        served.put("large", LARGE)
        if before:
            assert is_served(sock)
        sock.sendall(ASK_LARGE.replace(b"Connection: close\r\n", b""))
        sock.shutdown(socket.SHUT_WR)
        assert response_of(the_rest(sock)).body == LARGE
        wait_until(lambda: not connections_of(served), "the end of the connection")


@pytest.mark.parametrize("count", [2, 100])
def test_so_is_one_that_has_sent_all_its_requests_at_once(tmp_path: Path, count: int) -> None:
    with web(tmp_path) as served, served.connect() as sock:
        sock.sendall(ASK * count)
        sock.shutdown(socket.SHUT_WR)
        assert the_rest(sock).count(b"\r\n\r\nok\n") == count
        wait_until(lambda: not connections_of(served), "the end of the connection")


def test_a_last_request_that_ends_too_early_is_dropped_and_those_before_are_answered(tmp_path: Path) -> None:
    with web(tmp_path) as served, served.connect() as sock:
        octets = ASK + b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"
        sock.sendall(octets, socket.MSG_MORE)  # in one packet with the end, before which it might be answered
        sock.shutdown(socket.SHUT_WR)
        assert the_rest(sock).endswith(b"\r\n\r\nok\n")
        wait_until(lambda: not connections_of(served), "the end of the connection")


@pytest.mark.parametrize("octets", [b"", ASK, ASK[:-2]], ids=["nothing", "a request", "half a header"])
def test_a_client_that_sends_no_more_and_waits_for_nothing_is_let_go(tmp_path: Path, octets: bytes) -> None:
    with web(tmp_path) as served, served.connect() as sock:
        sock.sendall(octets)
        if octets == ASK:
            assert sock.recv(1000).endswith(b"ok\n")
        sock.shutdown(socket.SHUT_WR)
        the_rest(sock)
        wait_until(
            lambda: not connections_of(served), "the end of the connection", patience=LIMITS.header / 2
        )


def test_a_flood_of_connections_disturbs_no_boot_and_is_one_line_of_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {"http.crowded": RateLimiter(math.inf)})
    with web(tmp_path, limits=Limits(each=2)) as served, served.connect() as booting, capture_logs() as logs:
        served.put("large", LARGE)
        booting.sendall(ASK_LARGE)
        first = booting.recv(1000)
        flood = [served.connect(CROWD) for _ in range(200)]
        assert [is_served(sock) for sock in flood] == [False] * 198 + [True] * 2
        assert served.get("/assets/large").body == LARGE
        assert response_of(first + the_rest(booting)).body == LARGE
        for sock in flood:
            sock.close()
    assert [(line["event"], line["client"]) for line in logs] == [("http.crowded", CROWD)]


@pytest.mark.parametrize("ahead", [0, 2000], ids=["a large file", "many answers"])
def test_a_client_that_stops_reading_is_cut_off(tmp_path: Path, ahead: int) -> None:
    with web(tmp_path, limits=Limits(stall=0.2)) as served:
        served.put("large", LARGE)
        with served.connect(receive_buffer=2048) as sock, capture_logs() as logs:
            sock.settimeout(0.05)
            send_what_is_taken(sock, ASK * ahead + ASK_LARGE)
            wait_until(lambda: [line for line in logs if line["event"] == "http.stalled"], "the line of log")
            wait_until(lambda: not connections_of(served), "the end of the connection")
            sock.settimeout(PATIENCE)
            assert len(the_rest(sock)) < len(LARGE)
        assert is_served_now(served, CROWD)
    assert {line["event"] for line in logs} <= {"http.stalled", "http.aborted"}


def connections_of(served: Web) -> list[RequestHandler]:
    server = served.server._runner.server
    assert server
    return server.connections


def send_what_is_taken(sock: socket.socket, octets: bytes) -> None:
    with suppress(TimeoutError):  # the server reads no more until its answers are read
        sock.sendall(octets)


def test_a_connection_on_which_nothing_is_to_be_sent_does_not_stall(tmp_path: Path) -> None:
    with (
        web(tmp_path, limits=Limits(stall=0.01)) as served,
        capture_logs() as logs,
        served.connect() as idle,
        served.connect() as other,
    ):
        assert all(is_served(other) for _ in range(100))
        assert is_served(idle)
    assert logs == []


def test_progress_is_what_the_peer_takes_however_little() -> None:
    """A window of 1,152 octets, of which the peer frees 300 at a time: TCP_USER_TIMEOUT ends such a peer."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.settimeout(PATIENCE)
        peer.connect(server.getsockname())
        sender, _ = server.accept()
        with sender:
            progress = Progress(sender)
            assert [progress.still() for _ in range(3)] == [0, 0, 0], "nothing is to be sent"
            fill(sender)
            wait_until(lambda: progress.still() > 3, "a full window")
            for _ in range(5):
                take_until_moving(peer, progress)
                wait_until(lambda: progress.still() > 3, "a full window")


def fill(sender: socket.socket) -> None:
    sender.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            sender.send(bytes(1 << 16))


def take_until_moving(peer: socket.socket, progress: Progress) -> None:
    def moves() -> bool:
        peer.recv(300)
        return progress.still() == 0

    wait_until(moves, "progress")
