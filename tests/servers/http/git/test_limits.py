"""What a push or a client may cost: each limit ends it with a clear refusal, and the repository is as it was."""

import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.git_site import (
    GOOD,
    NOTHING,
    ServeGit,
    Site,
    answer_of,
    basic,
    object_head,
    pack,
    pack_of,
    pkt,
    serve_git,
    update,
)
from support.repositories import Person
from support.waiting import PATIENCE, wait_until
from support.web import Response

from iluvatar_pxe import ratelimit

MIB = 1 << 20
COMMIT, TREE, BLOB = 1, 2, 3


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[ServeGit]:
    with serve_git(tmp_path) as start:
        yield start


def pushed(site: Site) -> tuple[Person, str]:
    """Return somebody who has pushed a fleet, and the commit."""
    ada = site.person()
    commit = ada.commit(GOOD)
    ada.push()
    return ada, commit


def disk(site: Site) -> int:
    return sum(path.stat().st_blocks * 512 for path in site.fleet.rglob("*"))


@pytest.mark.parametrize("part", ["head", "middle", "checksum", "end", "all"])
def test_a_corrupt_pack_is_refused(serve: ServeGit, part: str) -> None:
    site = serve()
    ada = site.person()
    commit = ada.commit(GOOD)
    body = bytearray(pack_of(ada.directory))
    if part == "all":
        body[:] = b"PACK" + bytes(1000)
    elif part == "end":
        del body[-30:]
    else:
        body[{"head": 10, "middle": len(body) // 2, "checksum": -1}[part]] ^= 0xFF
    answer = site.push_by_hand(update(commit) + bytes(body))
    assert answer.status == 200
    assert b"unpack ok" not in answer.body
    assert b"ng refs/heads/main unpacker error" in answer.body
    assert site.tip() == ""


def test_an_object_that_is_missing_is_told(serve: ServeGit) -> None:
    site = serve()
    _, commit = pushed(site)
    answer = site.push_by_hand(update("1" * 40, old=commit) + pack())
    assert b"ng refs/heads/main" in answer.body
    assert site.tip() == commit


@pytest.mark.parametrize("kind", [COMMIT, TREE])
def test_an_object_that_says_to_be_enormous_takes_no_memory(
    serve: ServeGit, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git allocates what it says, before it reads one octet."""
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    site = serve()
    bomb = object_head(kind, 4 << 30) + zlib.compress(bytes(MIB))
    with capture_logs() as logs:
        answer = site.push_by_hand(update("1" * 40) + pack(bomb))
        wait_until(lambda: [line for line in logs if line["event"] == "git.complaint"], "git to complain")
    assert "Out of memory" in str(logs)
    assert b"unpack index-pack" in answer.body
    assert site.tip() == ""


def test_what_inflates_takes_no_more_of_the_disk_than_was_sent(serve: ServeGit) -> None:
    site = serve(max_push=4)
    ada, first = pushed(site)
    before = disk(site)
    with (ada.directory / "zeros").open("wb") as file:
        file.truncate(64 * MIB)
    ada.git("-c", "core.bigFileThreshold=1m", "-c", "core.compression=1", "add", "zeros")
    ada.git("commit", "--quiet", "--message", "a bomb")
    ada.push()
    assert site.tip() != first, "a file that declares nothing may lie beside the fleet"
    assert disk(site) - before < MIB


def test_a_push_that_is_too_large_is_refused_before_it_is_sent(serve: ServeGit) -> None:
    site = serve(max_push=1)
    with site.pushing(update("1" * 40), length=2 * MIB) as sock:
        answer = answer_of(sock)
    assert answer.status == 413
    assert answer.text == "413: requests over 1 MiB are refused; see [git] max_push\n"


def test_a_push_that_becomes_too_large_is_stopped(serve: ServeGit) -> None:
    """As chunks and compressed, as the real git sends it, so that nobody knows before."""
    site = serve(max_push=1)
    ada, commit = pushed(site)
    ada.commit({"README.md": "".join(str(number) for number in range(MIB))})
    ada.git("config", "core.compression", "0")
    ada.git("config", "http.postBuffer", "65536")
    shown = ada.push(check=False)
    assert "iluvatar-pxe: requests over 1 MiB are refused; see [git] max_push" in shown
    assert site.tip() == commit


def test_a_gzipped_bomb_is_counted_as_what_it_becomes(serve: ServeGit) -> None:
    site = serve(max_push=1)
    deflated = zlib.compressobj(wbits=31)
    image = object_head(BLOB, 40 * MIB) + zlib.compress(bytes(40 * MIB), level=0)
    body = deflated.compress(update("1" * 40) + pack(image)) + deflated.flush()
    head = (
        "POST /git/fleet.git/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {basic(site.writer)}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    assert len(body) < MIB
    assert site.web.send(head.encode() + body).status == 413


def test_a_fetch_that_says_too_much_is_refused(serve: ServeGit) -> None:
    site = serve(negotiation=1000)
    pushed(site)
    wants = pkt(b"command=fetch") + b"0001" + pkt(b"have " + b"1" * 40) * 100
    head = (
        "POST /git/fleet.git/git-upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {basic(site.reader)}\r\nContent-Type: application/x-git-upload-pack-request\r\n"
        f"Content-Length: {len(wants)}\r\n\r\n"
    )
    assert site.web.send(head.encode() + wants).status == 413


def test_a_disk_that_is_full_is_told_before_anything_is_written(serve: ServeGit) -> None:
    site = serve(reserve=1 << 60)
    ada = site.person()
    ada.commit(GOOD)
    assert "this server's disk is full" in ada.push(check=False)
    answer = site.push_by_hand(update("1" * 40))
    assert answer.status == 507
    assert answer.is_one_line
    assert "this server's disk is full" in answer.text
    assert site.tip() == ""


def test_only_so_many_are_served_at_a_time(serve: ServeGit) -> None:
    site = serve(backends=1, turn=0.2)
    with site.pushing(update("1" * 40), length=1000):
        wait_until(site.processes, "it to be served")
        answer = site.web.get(
            "/git/fleet.git/info/refs?service=git-upload-pack", Authorization=basic(site.reader)
        )
        assert answer.status == 503
        assert answer.headers["retry-after"] == "10"
        assert answer.is_one_line
    site.wait_until_idle()
    assert site.tip() == ""
    pushed(site)


def test_slow_pushes_of_one_token_do_not_keep_others_waiting(serve: ServeGit) -> None:
    site = serve(backends=4, turn=0.5)
    target = "/git/fleet.git/info/refs?service=git-upload-pack"
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(site.pushing(update("1" * 40), length=1000))
        wait_until(lambda: len(sessions(site)) == 2, "two of them to be served")
        assert site.web.get(target, Authorization=basic(site.writer)).status == 503, "it has its share"
        assert site.web.get(target, Authorization=basic(site.reader)).status == 200
        assert len(sessions(site)) == 2
    site.wait_until_idle()
    assert site.web.get(target, Authorization=basic(site.writer)).status == 200


def sessions(site: Site) -> set[int]:
    """Return the requests that are served: each has a session of its own."""
    return {os.getsid(process) for process in site.processes()}


def test_those_who_wait_get_their_turn(serve: ServeGit) -> None:
    site = serve(backends=1)
    answers: list[Response] = []
    first = site.pushing(update("1" * 40), length=1000)
    wait_until(site.processes, "it to be served")

    def ask() -> None:
        target = "/git/fleet.git/info/refs?service=git-upload-pack"
        answers.append(site.web.get(target, Authorization=basic(site.reader)))

    waiting = threading.Thread(target=ask)
    waiting.start()
    first.close()
    waiting.join(PATIENCE)
    assert [answer.status for answer in answers] == [200]


def test_a_daemon_without_git_says_so(
    serve: ServeGit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = serve()
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = site.push_by_hand(update(NOTHING))
    assert answer.status == 500
    assert answer.is_one_line
    monkeypatch.undo()
