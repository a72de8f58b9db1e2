"""What a request for a repository may look like, and what else gets one line of refusal."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.git_site import Site, basic, serving
from support.web import Response, response_of

from iluvatar_pxe.servers.http.git.backend import Call


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    (directory / "secret.git").mkdir()
    with serving(directory) as running:
        (running.repositories / ".hidden.git").mkdir()
        (running.repositories / "file.git").write_text("")
        (running.repositories / "empty.git").mkdir()
        yield running
        assert running.is_sound()


def get(site: Site, target: str, **headers: str) -> Response:
    return site.web.get(target, Authorization=basic(site.writer), **headers)


@pytest.mark.parametrize(
    "path",
    [
        "/git/../secret.git",
        "/git/fleet.git/../../secret.git",
        "/git/%2e%2e/secret.git",
        "/git/%2e%2e%2fsecret.git",
        "/git/..%2fsecret.git",
        "/git/..%5csecret.git",
        "/git/%00fleet.git",
        "/git/fleet%00.git",
        "/git//fleet.git",
        "/git//etc/passwd.git",
        "/git/%2fetc.git",
        "/git/.hidden.git",
        "/git/.git",
        "/git/-x.git",
        "/git/Fleet.git",
        "/git/fl%c3%bcet.git",
        "/git/fleet.git/.git",
        "/git/fleet.git%0a",
        "/git/fleet%0a.git",
        "/git/fleet%20.git",
        f"/git/{'a' * 64}.git",
        "/git/fleet.git.git",
        "/git/fleet.gi",
        "/git/fleetXgit",
        "/git/file.git",
        "/git/nothing.git",
        "/git/tokens.json",
    ],
)
def test_what_is_no_name_of_a_repository_leads_nowhere(site: Site, path: str) -> None:
    answer = get(site, f"{path}/info/refs?service=git-upload-pack")
    assert answer.status == 404
    assert answer.is_one_line
    posted = site.web.get(
        f"{path}/git-receive-pack",
        "POST",
        Authorization=basic(site.writer),
        Content_Type="application/x-git-receive-pack-request",
        Content_Length="0",
    )
    assert posted.status == 404


@pytest.mark.parametrize(
    "tail",
    [
        "",
        "/",
        "/HEAD",
        "/config",
        "/objects/info/packs",
        "/objects/00/" + "0" * 38,
        "/info/refs/",
        "/hooks/pre-receive",
    ],
)
def test_the_files_of_a_repository_are_not_there(site: Site, tail: str) -> None:
    assert get(site, f"/git/fleet.git{tail}").status == 404


@pytest.mark.parametrize(
    "query", ["", "?service=", "?service=git-upload-archive", "?service=git-upload-pack%00"]
)
def test_only_the_smart_protocol_is_spoken(site: Site, query: str) -> None:
    answer = get(site, f"/git/fleet.git/info/refs{query}")
    assert answer.status == 403
    assert answer.is_one_line


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("HEAD", "info/refs?service=git-upload-pack", {}, 405),
        ("POST", "info/refs?service=git-upload-pack", {}, 405),
        ("GET", "git-upload-pack", {}, 405),
        ("POST", "git-upload-archive", {}, 404),
        ("POST", "git-upload-pack", {}, 415),
        ("POST", "git-upload-pack", {"Content_Type": "application/x-git-receive-pack-request"}, 415),
        (
            "POST",
            "git-upload-pack",
            {"Content_Type": "application/x-git-upload-pack-request", "Content_Encoding": "compress"},
            415,
        ),
    ],
)
def test_other_requests_are_refused(
    site: Site, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    answer = site.web.get(f"/git/fleet.git/{target}", method, Authorization=basic(site.writer), **headers)
    assert answer.status == status


@pytest.mark.parametrize("protocol", ["", "version=2\t", "version=2;x", "ü", "v" * 101, "version=99", "=:="])
def test_a_strange_protocol_is_not_passed_on_and_does_no_harm(site: Site, protocol: str) -> None:
    answer = get(site, "/git/fleet.git/info/refs?service=git-upload-pack", Git_Protocol=protocol)
    assert answer.status == 200
    assert b"version 2" not in answer.body or protocol == "version=2\t"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0000",
        b"\0" * 100,
        b"ffff",
        b"0003",
        b"00zz",
        b"0009done\n",
        b"0032want " + b"0" * 40 + b"\n00000009done\n",
    ],
)
@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_nonsense_gets_an_answer_and_changes_nothing(site: Site, service: str, body: bytes) -> None:
    head = (
        f"POST /git/fleet.git/{service} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {basic(site.writer)}\r\nContent-Type: application/x-{service}-request\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    assert site.web.send(head.encode() + body).status in {200, 400, 500}
    assert site.tip() == ""
    site.wait_until_idle()


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Content-Encoding: gzip\r\nContent-Length: 5", b"hello"),
        ("Transfer-Encoding: chunked", b"zz\r\nhello"),
        ("Transfer-Encoding: chunked", b"5\r\nhelloXX"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(site: Site, header: str, body: bytes) -> None:
    head = (
        "POST /git/fleet.git/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {basic(site.writer)}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
        f"{header}\r\n\r\n"
    )
    answer = site.web.send(head.encode() + body)
    assert answer.status == 400
    assert answer.is_one_line
    site.wait_until_idle()


def test_a_directory_that_is_no_repository_is_told(site: Site) -> None:
    answer = get(site, "/git/empty.git/info/refs?service=git-upload-pack")
    assert answer.status == 502
    assert answer.is_one_line
    site.wait_until_idle()


def test_an_old_client_that_knows_no_chunks_is_served(site: Site) -> None:
    request = f"GET /git/fleet.git/info/refs?service=git-upload-pack HTTP/1.0\r\nAuthorization: {basic(site.reader)}\r\n\r\n"
    answer = site.web.send(request.encode())
    assert answer.status == 200
    assert "transfer-encoding" not in answer.headers
    assert answer.body.startswith(b"001e# service=git-upload-pack\n")


def test_a_client_that_waits_for_100_is_told_to_go_on(site: Site) -> None:
    head = (
        "POST /git/fleet.git/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {basic(site.writer)}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
        "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    )
    with site.web.connect() as sock:
        sock.sendall(head.encode())
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"0000")
        assert response_of(sock.recv(1000)).status == 200


def test_git_sees_nothing_of_this_processs_surroundings_but_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("https_proxy", "http://10.0.0.2:3128")
    call = Call(Path("/r"), "fleet", "info/refs", "GET", "git-upload-pack", "10.0.0.1", "ada", "version=2")
    environment = call.environment
    assert not {"GIT_DIR", "SECRET", "HTTP_CONTENT_ENCODING", "CONTENT_LENGTH"} & environment.keys()
    assert environment["PATH_INFO"] == "/fleet.git/info/refs"
    assert environment["REMOTE_USER"] == "ada"
    assert environment["https_proxy"] == "http://10.0.0.2:3128", "the check of a push asks Image Factory"
    assert environment["GIT_PROTOCOL"] == "version=2"
