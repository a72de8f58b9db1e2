"""Hooks that hang, and clients that stop or go away: what runs for them ends, and the repository is as it was."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.git_site import GOOD, ServeGit, Site, answer_of, basic, pack_of, pkt, serve_git, update
from support.repositories import Person
from support.waiting import wait_until

MIB = 1 << 20
GIT_SECONDS = 5.0
"""In which git itself is through on any host; what hangs here hangs for longer."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[ServeGit]:
    with serve_git(tmp_path) as start:
        yield start


HANG = "exec sleep 1000"
DEAF = 'trap "" TERM; while :; do sleep 1000; done'
CHATTY = "echo looking >&2; exec sleep 1000"


def hooked(site: Site, name: str, script: str) -> Person:
    """Return somebody who is about to push to a repository with a hook of its own."""
    hooks = site.host("apps") / "hooks"
    hooks.mkdir()
    (hooks / name).write_text(f"#!/bin/sh\n{script}\n")
    (hooks / name).chmod(0o755)
    ada = site.person(name="apps")
    ada.commit(GOOD)
    return ada


@pytest.mark.parametrize("script", [HANG, DEAF])
def test_a_hook_that_hangs_is_killed(serve: ServeGit, script: str) -> None:
    site = serve(git=0.2)
    assert "HTTP 504" in hooked(site, "pre-receive", script).push(check=False)
    assert site.tip("apps") == ""
    site.wait_until_idle()
    assert site.is_sound("apps")


def test_a_hook_that_hangs_when_it_has_said_something_is_told_on_the_terminal(serve: ServeGit) -> None:
    site = serve(git=GIT_SECONDS)
    shown = [line.rstrip() for line in hooked(site, "pre-receive", CHATTY).push(check=False).splitlines()]
    told = "git timed out; fetch to see whether the push was accepted"
    assert shown[:2] == ["remote: looking", f"remote: iluvatar-pxe: {told}"]
    assert site.tip("apps") == ""


def test_what_a_hook_has_left_behind_ends_with_the_request(serve: ServeGit) -> None:
    """It has our pipes, so that git and the client would wait for it."""
    site = serve(git=GIT_SECONDS)
    ada = hooked(site, "post-receive", "sleep 1000 & exit 0")
    ada.push(check=False)
    assert site.tip("apps"), "the push itself was through"


def test_a_client_that_sends_no_more_is_given_up(serve: ServeGit) -> None:
    site = serve(body=0.2)
    with site.pushing(update("1" * 40) + b"PACK", length=1000) as sock:
        answer = answer_of(sock)
    assert answer.status == 408
    assert site.tip() == ""


@pytest.mark.parametrize("how", [socket.SHUT_RDWR, None])
def test_a_client_that_goes_away_takes_its_push_with_it(serve: ServeGit, how: int | None) -> None:
    site = serve()
    ada = site.person()
    commit = ada.commit({**GOOD, "image": "".join(map(str, range(100_000)))})
    body = update(commit) + pack_of(ada.directory)
    with site.pushing(body[: len(body) // 2], length=len(body)) as sock:
        wait_until(lambda: [*site.fleet.glob("objects/tmp_objdir-*/pack/tmp_pack_*")], "git to take it")
        if how is not None:
            sock.shutdown(how)
    site.wait_until_idle()
    assert site.tip() == ""


def test_a_client_that_goes_away_takes_its_fetch_with_it(serve: ServeGit) -> None:
    site = serve()
    site.host("big")
    ada = site.person(name="big")
    ada.git("config", "core.compression", "0")
    ada.commit({"image": "0123456789abcdef" * (2 * MIB)})
    ada.push()
    wants = pkt(b"command=fetch") + b"0001" + pkt(f"want {site.tip('big')}".encode()) + pkt(b"done") + b"0000"
    head = (
        "POST /git/big.git/git-upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nGit-Protocol: version=2\r\n"
        f"Authorization: {basic(site.reader)}\r\nContent-Type: application/x-git-upload-pack-request\r\n"
        f"Content-Length: {len(wants)}\r\n\r\n"
    )
    with site.web.connect(receive_buffer=4096) as sock:
        sock.sendall(head.encode() + wants)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        assert site.processes(), "it is not through"
    site.wait_until_idle()


def test_a_stop_of_the_daemon_ends_what_runs(serve: ServeGit) -> None:
    site = serve()
    ada = site.person()
    commit = ada.commit(GOOD)
    body = update(commit) + pack_of(ada.directory)
    with site.pushing(body[:-10], length=len(body)):
        wait_until(site.processes, "it to be served")
        site.web.call(site.web.server.close(0.2))
        site.wait_until_idle()
    assert site.tip() == ""
