"""Boot files over HTTP: octet for octet, Range, ETag, HEAD, and nothing outside the assets directory."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.rights import without_root
from support.waiting import wait_until
from support.web import Web, web

from iluvatar_pxe.ratelimit import RateLimiter

CONTENT = random.Random(1).randbytes(8 * 1024 * 1024 + 12345)
SMALL = bytes(range(200))
SECRET = b"outside-the-assets-directory"
MANY = 300


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every line be logged, however many come at once."""
    monkeypatch.setattr(RateLimiter, "allow", lambda *_: True)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    directory = tmp_path_factory.mktemp("web")
    (directory / "secret").write_bytes(SECRET)
    with web(directory) as running:
        (running.assets / ".hidden").write_bytes(SECRET)
        running.put("large/initramfs-amd64.xz", CONTENT)
        running.put("small", SMALL)
        running.put("empty", b"")
        yield running


def test_a_large_file_arrives_octet_for_octet(served: Web) -> None:
    response = served.get("/assets/large/initramfs-amd64.xz")
    assert response.status == 200
    assert response.headers["content-length"] == str(len(CONTENT))
    assert "content-encoding" not in response.headers
    assert response.body == CONTENT


def test_a_large_file_is_sent_by_the_kernel(served: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    real = os.sendfile

    def spy(*args: Any) -> int:
        sent.append(real(*args))
        return sent[-1]

    monkeypatch.setattr(os, "sendfile", spy)
    assert served.get("/assets/large/initramfs-amd64.xz").body == CONTENT
    assert sum(sent) == len(CONTENT)


@pytest.mark.parametrize(
    ("wanted", "expected", "described"),
    [
        ("bytes=0-0", SMALL[:1], "bytes 0-0/200"),
        ("bytes=10-19", SMALL[10:20], "bytes 10-19/200"),
        ("bytes=190-", SMALL[190:], "bytes 190-199/200"),
        ("bytes=-5", SMALL[-5:], "bytes 195-199/200"),
        ("bytes=-500", SMALL, "bytes 0-199/200"),
        ("bytes=100-9999", SMALL[100:], "bytes 100-199/200"),
    ],
)
def test_a_range(served: Web, wanted: str, expected: bytes, described: str) -> None:
    response = served.get("/assets/small", Range=wanted)
    assert (response.status, response.body) == (206, expected)
    assert response.headers["content-range"] == described


@pytest.mark.parametrize("wanted", ["bytes=200-", "bytes=5-2", "bytes=a-b", f"bytes={'9' * 3000}-"])
def test_a_range_that_is_not_there(served: Web, wanted: str) -> None:
    response = served.get("/assets/small", Range=wanted)
    assert response.status == 416
    assert response.headers["content-range"] == "bytes */200"
    assert response.is_one_line


def test_an_empty_file(served: Web) -> None:
    assert (served.get("/assets/empty").status, served.get("/assets/empty").body) == (200, b"")
    assert served.get("/assets/empty", Range="bytes=0-").status == 416


def test_a_file_that_was_not_changed_is_not_sent_again(served: Web) -> None:
    first = served.get("/assets/small")
    again = served.get("/assets/small", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert served.get("/assets/small", If_Modified_Since=first.headers["last-modified"]).status == 304
    assert served.get("/assets/small", If_None_Match='"other"').body == SMALL


def test_a_file_that_was_changed_is_sent(served: Web) -> None:
    etag = served.get(f"/assets/{served.put('changing', b'one').name}").headers["etag"]
    served.put("changing", b"three")
    response = served.get("/assets/changing", If_None_Match=etag)
    assert (response.status, response.body) == (200, b"three")
    refused = served.get("/assets/changing", If_Match=etag)
    assert refused.status == 412
    assert refused.is_one_line


def test_a_file_that_vanished_is_one_line_of_answer_and_of_log(served: Web) -> None:
    served.put("vanishing", b"x").unlink()
    with capture_logs() as logs:
        response = served.get("/assets/vanishing")
    assert (response.status, response.headers["retry-after"]) == (503, "10")
    assert response.is_one_line
    assert [(line["event"], line["path"]) for line in logs] == [("http.asset", "/assets/vanishing")]
    assert logs[0]["why"] == "vanishing: is gone since the directory was read; put it there again"


def test_only_the_file_itself_is_sent_not_a_compressed_one_beside_it(served: Web) -> None:
    served.put("beside", b"itself")
    served.put("beside.gz", b"another")
    response = served.get("/assets/beside", Accept_Encoding="gzip")
    assert (response.body, response.headers.get("content-encoding")) == (b"itself", None)


def test_a_file_closed_to_the_service(served: Web) -> None:
    served.put("closed", b"x").chmod(0)
    with without_root(), capture_logs() as logs:
        response = served.get("/assets/closed")
    assert (response.status, response.is_one_line) == (404, True)
    assert [line["event"] for line in logs] == ["http.asset"]


def test_a_file_that_became_another_thing(served: Web) -> None:
    path = served.put("becoming", b"x")
    path.unlink()
    path.mkdir()
    response = served.get("/assets/becoming")
    assert (response.status, response.is_one_line) == (404, True)


@pytest.mark.parametrize(
    "target",
    [
        "/assets/../secret",
        "/assets/%2e%2e/secret",
        "/assets/%2e%2e%2fsecret",
        "/assets/..%2fsecret",
        "/assets/%252e%252e%252fsecret",
        "/assets/..\\secret",
        "/assets/..%5csecret",
        "/assets/small/../../secret",
        "/assets//secret",
        "/assets/%00../secret",
        "/assets/..%c0%afsecret",
        "/assets/%c0%ae%c0%ae/secret",
        "/assets/\udcc0\udcae/secret",
        "/assets/./../secret",
        "/../secret",
        "/%2e%2e/secret",
        "/secret",
        "/assets/.hidden",
        "/assets/%2ehidden",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "file:///etc/passwd",
        "http://127.0.0.1/assets/../secret",
    ],
)
def test_nothing_outside_is_reachable(served: Web, target: str) -> None:
    response = served.get(target)
    assert 400 <= response.status < 500
    assert response.is_one_line
    assert SECRET not in response.body


PARTS = st.sampled_from(
    ["..", ".", "", "%2e%2e", "%2f", "\\", "secret", ".hidden", "small", "%00", "%ff", "assets"]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PARTS, max_size=7).map("/".join))
def test_no_path_reaches_outside(served: Web, path: str) -> None:
    response = served.get(f"/assets/{path}")
    assert response.status in {200, 400, 404}
    assert SECRET not in response.body
    assert response.status == 200 or response.is_one_line


def test_curl_sees_the_same(served: Web, tmp_path: Path) -> None:
    def curl(*arguments: str) -> str:
        url = f"http://127.0.0.1:{served.port}/assets/large/initramfs-amd64.xz"
        command = ["curl", "--silent", "--show-error", "--fail", *arguments, url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    head = curl("-I").lower()
    assert head.startswith("http/1.1 200 ok")
    assert f"content-length: {len(CONTENT)}" in head
    assert "etag: " in head
    assert "accept-ranges: bytes" in head
    curl("-o", str(tmp_path / "whole"))
    assert (tmp_path / "whole").read_bytes() == CONTENT
    curl("-r", "1000000-1999999", "-o", str(tmp_path / "part"))
    assert (tmp_path / "part").read_bytes() == CONTENT[1_000_000:2_000_000]
    (tmp_path / "half").write_bytes(CONTENT[:3_000_000])
    curl("-C", "-", "-o", str(tmp_path / "half"))
    assert (tmp_path / "half").read_bytes() == CONTENT


def test_many_idle_connections_do_not_stop_a_boot(served: Web) -> None:
    idle = [served.connect(f"127.0.1.{number % 6}") for number in range(MANY)]
    for number, sock in enumerate(idle):
        sock.sendall(
            (b"", b"GET /boot.ipxe HT", b"GET /boot.ipxe HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")[number % 3]
        )
    assert served.get("/boot.ipxe").status == 200
    assert served.get("/assets/large/initramfs-amd64.xz").body == CONTENT
    for sock in idle:
        sock.close()


def test_a_client_that_breaks_off_is_one_line_of_log_and_no_stage(served: Web) -> None:
    served.boots("52:54:00:77:00:01")
    with capture_logs() as logs:
        with served.connect() as sock:
            sock.sendall(b"GET /assets/large/initramfs-amd64.xz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert sock.recv(100)
        wait_until(lambda: logs, "the line of log")
        assert served.get("/healthz").status == 200
    assert [(line["event"], line["asset"]) for line in logs] == [("http.aborted", "large/initramfs-amd64.xz")]
