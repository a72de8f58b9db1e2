"""Scripts that are answered below aiohttp are what aiohttp answers, octet for octet, and its limits hold for them."""

import asyncio
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.web import Server
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.fleets import INITRAMFS, KERNEL, fleet_of, talos
from support.waiting import PATIENCE, wait_until
from support.web import Web, response_of, web

from iluvatar_pxe.ratelimit import _complaints
from iluvatar_pxe.servers.http.connections import Limits
from iluvatar_pxe.servers.http.quick import QuickConnection, _read_once

MAC = "52:54:00:77:00:01"
FIRST = "/boot.ipxe"
TICKET = "T" * 48
OWN = (
    f"/ipxe?mac={MAC}&serial=S-1&manufacturer=QEMU&product=Q35%20(a)&arch=x86_64&platform=efi&version=1.21.1"
)
FLEET = fleet_of(talos("one", MAC))


def asking(target: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/{version}", "Host: 127.0.0.1", *lines))
    return f"{head}\r\n".encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web(tmp_path_factory.mktemp("web"), FLEET) as running:
        boot(running)
        yield running


def boot(running: Web) -> None:
    """Have one machine ask once, as it is known then."""
    running.put(KERNEL, b"kernel")
    running.put(INITRAMFS, b"initramfs")
    running.boots(MAC)
    assert "/talos/" in running.get(OWN).text


def by_aiohttp(running: Web) -> int:
    """Return how many requests aiohttp has served."""
    server = running.server._runner.server
    assert server
    return server.requests_count


def connections_of(running: Web) -> list[QuickConnection]:
    server = running.server._runner.server
    return cast("list[QuickConnection]", server.connections if server else [])


def answer_of(sock: socket.socket) -> bytes:
    """Return the next answer, without its date."""
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += received(sock)
    head, _, body = octets.partition(b"\r\n\r\n")
    size = re.search(rb"(?i)content-length: ([0-9]+)", head)
    while size and len(body) < int(size[1]):
        body += received(sock)
    return undated(head + b"\r\n\r\n" + body)


def received(sock: socket.socket) -> bytes:
    octets = sock.recv(1 << 16)
    assert octets, "the connection was closed"
    return octets


def is_ended(sock: socket.socket) -> bool:
    """Wait for what comes next, and say whether that is the end."""
    try:
        return not sock.recv(1)
    except ConnectionError:
        return True


def undated(octets: bytes) -> bytes:
    return re.sub(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"\r\nDate: now\r\n", octets)


def all_answers(running: Web, pieces: Sequence[bytes], *, plain: bool) -> bytes:
    """Return all that is answered to these octets, after which no more come; ``plain``: the connection was until then."""
    with running.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not plain:
            sock.sendall(asking("/healthz", "X-Not: plain"))
            answer_of(sock)
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as file:
            return undated(file.read())


@pytest.mark.parametrize("target", [FIRST, OWN])
def test_it_is_what_aiohttp_answers_and_counts_alike(served: Web, target: str) -> None:
    meter, told = served.server.meter, []
    with served.connect() as plain, served.connect() as other:
        for sock, lines, count in (
            (other, ("X-Not: plain",), 1),
            (plain, (), 0),
            (plain, (), 0),
            (other, (), 1),
        ):
            before = by_aiohttp(served), meter.requests, meter.sent, sum(meter.seconds.counts)
            sock.sendall(asking(target, *lines))
            told.append(answer_of(sock))
            after = by_aiohttp(served), meter.requests, meter.sent, sum(meter.seconds.counts)
            body = told[-1].partition(b"\r\n\r\n")[2]
            assert [now - then for now, then in zip(after, before, strict=True)] == [count, 1, len(body), 1]
    assert len(set(told)) == 1
    assert response_of(told[0]).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        asking(FIRST, method="HEAD"),
        asking(FIRST, version="1.0"),
        asking(FIRST, "Range: bytes=0-9"),
        asking(FIRST, "Connection: close"),
        asking(f"{FIRST}?"),
        asking("/autoexec.ipxe"),
        asking("/ipxe"),
        asking("/ipxe?"),
        asking("/ipxe?mac=none"),
        asking(f"{OWN}#x"),
        asking(OWN.replace(MAC, "52:54:00:77:00:09")),
        asking(OWN, "User-Agent: Mozilla/5.0"),
        asking(FIRST).replace(b"Host: 127.0.0.1", b"Host: evil.example"),
        asking(FIRST)[:-2] + b"Content-Length: 3\r\n\r\nabc",
    ],
    ids=repr,
)
def test_all_others_are_aiohttps(served: Web, request_: bytes) -> None:
    before = by_aiohttp(served)
    assert all_answers(served, [request_], plain=True) == all_answers(served, [request_], plain=False)
    assert by_aiohttp(served) - before == 3


STRANGE = [
    asking(FIRST).replace(b" HTTP/1.1", b""),
    asking(FIRST).replace(b"\r\n", b"\n"),
    asking(FIRST).replace(b"GET", b"get"),
    asking(FIRST).replace(b"GET ", b"GET  "),
    asking(FIRST, version="2.0"),
    asking(FIRST, version="1.0").replace(b"Host: 127.0.0.1\r\n", b"Connection: keep-alive\r\n"),
    asking(FIRST).replace(b"Host: 127.0.0.1\r\n", b""),
    asking(FIRST, "Host: 127.0.0.1"),
    asking(FIRST, "host: evil.example"),
    asking(FIRST, "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: evil.example", "Forwarded: for=10.0.0.1"),
    asking(f"http://127.0.0.1{FIRST}"),
    asking(f"http://evil.example{FIRST}"),
    asking("*", method="OPTIONS"),
    asking(FIRST, method="OPTIONS"),
    asking(FIRST, "Connection: upgrade", "Upgrade: h2c"),
    asking(FIRST, "Connection: keep-alive, close"),
    asking(FIRST, "Connection: close", "Connection: keep-alive"),
    asking(FIRST, "User-Agent: a", "User-Agent: iPXE"),
    asking(FIRST, "Accept-Encoding: gzip, deflate"),
    asking(FIRST, "Expect: 100-continue"),
    asking(FIRST, "Expect: other"),
    asking(FIRST, "X-Folded: a", " b"),
    asking(FIRST, "X Space: a"),
    asking(FIRST, "No-Colon"),
    asking(FIRST, "User-Agent: \x00"),
    asking(FIRST, f"X-Long: {'x' * 3000}"),
    asking(FIRST, f"X-Longer: {'x' * 5000}"),
    asking(FIRST, *(f"X-{number}: a" for number in range(70))),
    asking(f"{FIRST}?{'x' * 3000}"),
    asking(FIRST, "Content-Length: 0"),
    asking(FIRST, "Content-Length: -1"),
    asking(FIRST, "Content-Length: 4", "Content-Length: 5") + b"abcd",
    asking(FIRST, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    asking(FIRST, "Transfer-Encoding: chunked") + asking(OWN),
    asking(FIRST, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    asking(FIRST, "Transfer-Encoding: identity"),
    asking(FIRST, f"Content-Length: {len(asking(OWN))}") + asking(OWN),
    asking(FIRST).replace(b"\r\n\r\n", b"\r\n"),
    b"\r\n\r\n" + asking(FIRST),
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("strange", STRANGE, ids=[str(number) for number in range(len(STRANGE))])
def test_what_is_strange_is_answered_alike_after_a_plain_request_and_before_one(
    served: Web, strange: bytes
) -> None:
    for octets in (strange, strange + asking(OWN)):
        assert after_one(served, octets, plain=True) == after_one(served, octets, plain=False)


def after_one(running: Web, octets: bytes, *, plain: bool) -> bytes:
    """Return all that is answered to octets that follow an answered request; ``plain``: it was answered below aiohttp."""
    with running.connect() as sock:
        before = by_aiohttp(running)
        sock.sendall(asking(OWN, *([] if plain else ["X-Not: plain"])))
        answer_of(sock)
        assert by_aiohttp(running) - before == (not plain)
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as file:
            return undated(file.read())


def test_a_failure_is_logged_and_aiohttp_answers(tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(TICKET)

    with web(tmp_path, FLEET) as running, running.connect() as sock:
        wait_until(lambda: connections_of(running), "the connection")
        connections_of(running)[0]._quick = fail
        _complaints._limiters.clear()
        with capture_logs() as log:
            sock.sendall(asking(FIRST))
            assert response_of(answer_of(sock)).status == 200
        [line] = [one for one in log if one["event"] == "http.failed"]
        assert (line["log_level"], line["path"]) == ("error", FIRST)
        assert TICKET not in line["error"]
        sock.sendall(asking(FIRST))
        assert response_of(answer_of(sock)).status == 200, "the connection goes on"


lines = st.sampled_from(
    [
        "User-Agent: iPXE/1.21.1",
        "Accept: */*",
        "Accept-Encoding: gzip",
        "Connection: keep-alive",
        "Connection: Keep-Alive",
        "X-Own: a",
    ]
).flatmap(lambda line: st.sampled_from([line, line.lower(), line.replace(": ", ":")]))
requests = st.tuples(
    st.sampled_from(
        [FIRST, OWN, OWN, OWN.replace("arch", "waited=9&arch"), "/healthz", "/ipxe?mac=%zz", "/none"]
    ),
    st.lists(lines, max_size=3, unique_by=lambda line: line.lower().partition(":")[0]),
    st.sampled_from(["GET", "GET", "GET", "GET", "HEAD"]),
).map(lambda parts: asking(parts[0], *parts[1], method=parts[2]))


@given(st.lists(requests, min_size=1, max_size=5), st.lists(st.integers(1, 1500), max_size=6))
def test_however_requests_come_the_answers_are_the_same(
    served: Web, asked: list[bytes], cuts: list[int]
) -> None:
    octets = b"".join(asked)
    ends = sorted({min(cut, len(octets)) for cut in cuts} | {0, len(octets)})
    pieces = asked if not cuts else [octets[one:other] for one, other in pairwise(ends)]
    assert all_answers(served, pieces, plain=True) == all_answers(served, [octets], plain=False)


def test_a_client_that_is_not_allowed_is_refused_each_time(tmp_path: Path) -> None:
    with web(tmp_path, FLEET, allow=[IPv4Network("127.0.0.2/32")]) as running:
        for client, status in (("127.0.0.1", 403), ("127.0.0.2", 200), ("127.0.0.1", 403)):
            with running.connect(client) as sock:
                for _ in range(2):
                    sock.sendall(asking(FIRST))
                    assert response_of(answer_of(sock)).status == status


def test_of_requests_only_those_for_scripts_are_remembered(served: Web) -> None:
    _read_once.cache_clear()
    all_answers(served, [asking("/cloud-init/a-ticket/user-data")], plain=True)
    assert not _read_once.cache_info().currsize
    all_answers(served, [asking(FIRST, "User-Agent: not-seen-before")], plain=True)
    assert _read_once.cache_info().currsize == 1


def test_with_tls_it_is_aiohttps(served: Web) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    before = by_aiohttp(served)
    with context.wrap_socket(served.connect(tls=True)) as sock, served.connect() as plain:
        told = []
        for one in (sock, sock, plain):
            one.sendall(asking(OWN))
            told.append(answer_of(one))
    assert len(set(told)) == 1
    assert by_aiohttp(served) - before == 2


def test_answers_keep_a_connection_open_and_its_end_is_counted_from_the_last(tmp_path: Path) -> None:
    with web(tmp_path, FLEET, idle=2.0) as running, running.connect() as sock:
        ends = []
        for _ in range(2):
            sock.sendall(asking(FIRST))
            answer_of(sock)
            ends.append(connections_of(running)[0]._next_keepalive_close_time)
        assert ends[0] < ends[1]
        assert by_aiohttp(running) == 0
        assert is_ended(sock), "it ends when nothing more is asked"


def test_a_connection_between_two_such_answers_outlives_the_time_of_a_header(tmp_path: Path) -> None:
    with (
        web(tmp_path, FLEET, limits=Limits(header=1.0)) as running,
        running.connect() as sock,
        running.connect() as silent,
    ):
        sock.sendall(asking(FIRST))
        first = answer_of(sock)
        assert is_ended(silent), "the time has passed"
        sock.sendall(asking(FIRST))
        assert answer_of(sock) == first


def test_so_much_time_has_the_next_header(tmp_path: Path) -> None:
    with (
        web(tmp_path, FLEET, limits=Limits(header=0.2)) as running,
        running.connect() as sock,
    ):
        sock.sendall(asking(FIRST))
        answer_of(sock)
        sock.sendall(asking(FIRST)[:-2])
        assert is_ended(sock)


def test_who_is_answered_so_is_not_the_longest_silent(tmp_path: Path) -> None:
    with (
        web(tmp_path, FLEET, limits=Limits(each=2)) as running,
        running.connect() as one,
        running.connect() as other,
    ):
        for sock in (other, one, one):
            sock.sendall(asking(FIRST))
            answer_of(sock)
        with running.connect() as third:
            third.sendall(asking(FIRST))
            answer_of(third)
            assert is_ended(other)
            one.sendall(asking(FIRST))
            answer_of(one)


def test_for_who_takes_nothing_no_such_answer_is_kept(tmp_path: Path) -> None:
    with web(tmp_path, FLEET) as running, running.connect(receive_buffer=2048) as sock:
        wait_until(lambda: connections_of(running), "the connection")
        connections_of(running)[0]._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        for number in range(100):
            sock.sendall(asking(FIRST))
            wait_until(partial(is_beyond, running, number), "the answer")
            if by_aiohttp(running):
                break
        assert by_aiohttp(running), "which waits until the client takes something"


def is_beyond(running: Web, requests: int) -> bool:
    return running.server.meter.requests > requests


@pytest.mark.parametrize("how", [Server.pre_shutdown, Server.shutdown])
def test_a_server_that_ends_answers_nobody_so(tmp_path: Path, how: Callable[..., Any]) -> None:
    with web(tmp_path, FLEET, limits=Limits(header=0.2)) as running, running.connect() as sock:
        sock.sendall(asking(FIRST))
        answer_of(sock)
        ending = running.call(begin(how, running))
        sock.sendall(asking(FIRST))
        assert is_ended(sock)
        assert by_aiohttp(running) == 0
        if ending:
            running.call(asyncio.wait_for(ending, PATIENCE))


async def begin(how: Callable[..., Any], running: Web) -> asyncio.Future[None] | None:
    server = running.server._runner.server
    done = how(server)
    return asyncio.ensure_future(done) if done else None


def test_curl_gets_the_same(served: Web) -> None:
    curl = shutil.which("curl")
    assert curl
    url = f"http://127.0.0.1:{served.port}{OWN}"
    before = by_aiohttp(served)
    options = [
        "--silent",
        "--globoff",
        "--dump-header",
        "-",
        url,
        url,
        "--next",
        "--http1.0",
        "--silent",
        url,
    ]
    done = subprocess.run([curl, *options], check=True, stdout=subprocess.PIPE)
    assert by_aiohttp(served) - before == 1
    text = served.get(OWN).body
    assert done.stdout.count(text) == 3
