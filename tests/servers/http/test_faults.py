"""HTTP requests that are none, from networks that may not ask, or by a name: 4xx, one line, no traceback."""

import re
import time
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.fleets import KERNEL, fleet_of, talos
from support.waiting import PATIENCE
from support.web import Response, Web, web

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.ratelimit import RateLimiter
from iluvatar_pxe.servers.http import faults

MAC = "52:54:00:77:00:01"
UNLISTED = "52:54:00:77:00:02"
OK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every broken request be logged, however many come at once."""
    monkeypatch.setattr(RateLimiter, "allow", lambda *_: True)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web(tmp_path_factory.mktemp("web"), fleet_of(talos("one", MAC))) as running:
        running.put(KERNEL, b"kernel")
        yield running


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "10.0.0.9", "localhost", "localhost:1", "[::1]"]
)
def test_who_names_the_server_by_an_address_may_ask(served: Web, host: str) -> None:
    assert served.get("/healthz", Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"]
)
@pytest.mark.parametrize("path", ["/healthz", "/boot.ipxe", "/nothing", f"/assets/{KERNEL}"])
def test_a_browser_that_was_lured_to_a_name_is_refused(served: Web, host: str, path: str) -> None:
    with capture_logs() as logs:
        response = served.get(path, Host=host)
    why = "use this server's IP address or git.lab.home.arpa or pxe.lab.home.arpa, not another name"
    assert (response.status, response.text) == (403, f"403: {why}\n")
    assert [(line["event"], line["path"], line["why"]) for line in logs] == [("http.refused", path, why)]


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://127.0.0.1:8080/healthz", "evil.example", 200),
        ("http://pxe.lab.home.arpa/healthz", "evil.example", 200),
        ("http://[::1]/healthz", "evil.example", 200),
        ("http://evil.example/healthz", "127.0.0.1", 403),
        ("https://evil.example/healthz", "127.0.0.1", 403),
        ("HTTP://evil.example:8080/healthz", "127.0.0.1", 403),
        ("http://127.0.0.1@evil.example/healthz", "127.0.0.1", 403),
        ("http://127.0.0.1/nothing", "127.0.0.1", 404),
        (f"http://127.0.0.1/ipxe?mac={MAC}", "127.0.0.1", 200),
    ],
)
def test_rfc_9112_3_2_2_a_target_in_absolute_form_counts_and_not_the_host(
    served: Web, target: str, host: str, status: int
) -> None:
    assert served.get(target, Host=host).status == status


@pytest.mark.parametrize("path", ["/ipxe", "/ipxe/confirm", "/ipxe/refuse"])
def test_a_web_page_cannot_ask_in_the_name_of_the_machine_that_shows_it(served: Web, path: str) -> None:
    machine = served.boots(UNLISTED)
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    with capture_logs() as logs:
        response = served.get(f"{path}?mac={UNLISTED}", User_Agent=browser)
    assert (response.status, response.is_one_line) == (403, True)
    assert [(line["event"], line["path"]) for line in logs] == [("http.refused", path)]
    assert served.inventory.snapshot.by_id[machine.id] == machine
    assert served.get(f"/ipxe?mac={UNLISTED}", User_Agent="iPXE/1.21.1").status == 200


@pytest.mark.parametrize(
    "headers",
    [b"X: " + b"a" * 5000, b"\r\n".join(b"X-%d: a" % number for number in range(100))],
    ids=["a long header", "many headers"],
)
def test_headers_that_fill_the_memory_are_refused_before_they_end(served: Web, headers: bytes) -> None:
    response = served.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n")
    assert (response.status, response.is_one_line) == (400, True)


@pytest.mark.parametrize("host", ["pxe.lab.home.arpa", "PXE.lab.home.arpa.:8080", "git.lab.home.arpa:8080"])
def test_who_names_the_server_as_its_own_dns_does_may_ask(served: Web, host: str) -> None:
    assert served.get("/healthz", Host=host).status == 200


@pytest.mark.parametrize(
    ("allow", "status"),
    [(("local",), 200), ((IPv4Network("127.0.0.0/8"),), 200), ((IPv4Network("10.0.0.0/8"),), 403), ((), 403)],
)
def test_only_allowed_networks_may_ask(tmp_path: Path, allow: tuple[object, ...], status: int) -> None:
    with web(tmp_path, allow=allow) as running:
        with capture_logs() as logs:
            responses = {path: running.get(path) for path in ("/healthz", "/boot.ipxe", "/nothing")}
        for path, response in responses.items():
            assert response.status == (404 if (status, path) == (200, "/nothing") else status)
        if status == 403:
            why = "127.0.0.1 is not in [http] allow; if it may ask, add its network there"
            assert response.text == f"403: {why}\n"
            assert {"client": "127.0.0.1", "path": "/nothing", "why": why}.items() <= logs[-1].items()
            assert {line["event"] for line in logs} == {"http.refused"}


TICKET = "A" * 48


@pytest.mark.parametrize(
    ("target", "headers", "event", "status"),
    [
        (f"/talos/{TICKET}/config.yaml", {}, "http.unserved", 404),
        ("/nothing", {}, "http.unserved", 404),
        ("/assets/../state/inventory.db", {}, "http.unserved", 404),
        ("/ipxe", {}, "http.unserved", 400),
        ("/healthz", {"Host": "evil.example"}, "http.refused", 403),
    ],
)
def test_whatever_is_refused_leaves_a_line_without_a_ticket(
    served: Web, target: str, headers: dict[str, str], event: str, status: int
) -> None:
    with capture_logs() as logs:
        assert served.get(target, **headers).status == status
    assert [(line["event"], line["status"], line["client"]) for line in logs] == [
        (event, status, "127.0.0.1")
    ]
    assert TICKET not in str(logs)


MALFORMED = {
    "no request line": b"\r\n\r\nhello\r\n\r\n",
    "words": b"hello world\r\n\r\n",
    "unknown method": b"B{D / HTTP/1.1\r\n\r\n",
    "version 9": b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "NULs": b"\0" * 64,
    "TLS hello": bytes.fromhex("1603010200010001fc0303") + bytes(range(200)),
    "giant target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "giant header": b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n",
    "header without colon": b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
    "bad length": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"GET / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "markup": b"GET /<h1>\n</h1> HTTP/1.1\r\nAccept: text/html\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_answered_with_one_line(served: Web, name: str) -> None:
    with capture_logs() as logs:
        response = served.send(MALFORMED[name])
    assert 400 <= response.status < 500
    assert response.is_one_line
    assert len(response.body) <= faults.LONGEST_LINE + 1
    assert len(logs) <= 1
    for line in logs:
        assert line["event"] == "http.malformed"
        assert len(line["why"]) > len("400, message:")
        assert line["why"].isprintable()
    assert served.send(OK).text == "ok\n"


@pytest.mark.parametrize("end", range(1, len(OK) - 1, 7))
def test_a_request_that_breaks_off_is_no_failure(served: Web, end: int) -> None:
    with capture_logs() as logs:
        assert served.send(OK[:end], hang_up=True).status == 0
        assert served.send(OK).text == "ok\n"
    assert logs == []


@pytest.mark.parametrize(
    "octets",
    [
        b"POST /ipxe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\nabc",
        b"POST /ipxe HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: wonders\r\nConnection: close\r\n\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    ],
)
def test_an_odd_request_is_refused_in_one_line(served: Web, octets: bytes) -> None:
    response = first_answer(served, octets)
    assert 400 <= response.status < 500
    assert response.is_one_line


def test_http_1_0_needs_no_host(served: Web) -> None:
    assert served.send(b"GET /healthz HTTP/1.0\r\n\r\n").text == "ok\n"


def first_answer(served: Web, octets: bytes) -> Response:
    """Read one response only: the server may go on waiting for the rest of the request."""
    with served.connect() as sock:
        sock.sendall(octets)
        answer = sock.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    return Response(int(head.split()[1]), {}, body)


def test_an_unexpected_failure_is_one_line_of_log_without_the_ticket(
    served: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.boots(MAC)
    ticket = served.get(f"/ipxe?mac={MAC}").text  # the machine is known from now on
    path = re.search(r"/talos/\S+/config\.yaml", served_talos(served))

    def broken(*_: object) -> Decision:
        raise RuntimeError(f"broken\n{path}")

    assert ticket
    assert path
    monkeypatch.setattr(Booter, "decide", broken)
    with capture_logs() as logs:
        response = served.get(path[0])
    assert (response.status, response.text) == (500, "500: this server failed on that request; see its log\n")
    assert [line["event"] for line in logs] == ["http.failed"]
    assert logs[0]["path"] == "/talos/TICKET/config.yaml"
    assert path[0].split("/")[2] not in str(logs)


def served_talos(served: Web) -> str:
    """Return the Talos script, for which both boot files must be there."""
    served.put(KERNEL.replace("kernel-amd64", "initramfs-amd64.xz"), b"initramfs")
    return served.get(f"/ipxe?mac={MAC}").text


def test_a_connection_that_never_finishes_its_request_is_closed(tmp_path: Path) -> None:
    with web(tmp_path, idle=0.2) as running:
        silent, slow, done = running.connect(), running.connect(), running.connect()
        done.sendall(OK.replace(b"Connection: close\r\n", b""))
        assert done.recv(1000).endswith(b"ok\n")
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert silent.recv(1) == b""
        assert done.recv(1) == b""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:  # octet by octet, it never says nothing
            try:
                slow.sendall(b"X")
            except ConnectionError:
                break
            time.sleep(0.01)
        else:
            pytest.fail("the slow connection is still there")
        for sock in (silent, slow, done):
            sock.close()


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0 "), max_size=30)
ENCODED = st.binary(max_size=20).map(lambda octets: "".join(f"%{octet:02x}" for octet in octets))
PATH = st.sampled_from(["/ipxe", "/boot.ipxe", "/assets/", "/talos/", "/readyz", "/", "/autoexec.ipxe", ""])
KEYS = st.sampled_from(["mac", "uuid", "serial", "arch", "platform", "net0", "product"])
VALUES = TEXT | ENCODED | st.just(MAC)
QUERIES = st.dictionaries(KEYS | TEXT, VALUES, max_size=5).map(
    lambda query: "&".join(f"{key}={value}" for key, value in query.items())
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since", "Expect", "Host", "Cookie"]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30),
    max_size=2,
)
TARGETS = st.tuples(PATH, TEXT | ENCODED, QUERIES).map(lambda parts: f"{parts[0]}{parts[1]}?{parts[2]}")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TARGETS, HEADERS, st.sampled_from(["GET", "HEAD", "POST"]))
def test_any_request_is_answered_and_refused_in_one_line(
    served: Web, target: str, headers: dict[str, str], method: str
) -> None:
    response = served.get(target, method, **headers)
    assert 200 <= response.status < 500
    if response.status >= 400 and method != "HEAD":
        assert response.is_one_line


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_octets_are_answered_in_one_line_or_not_at_all(served: Web, octets: bytes) -> None:
    response = served.send(octets, hang_up=True)
    assert response.status == 0 or 400 <= response.status < 500
    assert response.status == 0 or response.is_one_line
