"""The command line's side of the control socket: whatever is at its other end, one line and no waiting for ever."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.rights import directory_for_nobody, without_root
from support.waiting import PATIENCE

from iluvatar_pxe.admin.enrolment import OpenWindow
from iluvatar_pxe.admin.machines import Hold
from iluvatar_pxe.cli.daemon import ask_daemon
from iluvatar_pxe.errors import ControlError, OperationError

STATE = Path("/srv/stäte")
ASKED = Hold(machine="a b/c", why="fan")


@contextmanager
def listener(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """Accept one connection, read a request, and answer; with nothing, say nothing until the end."""
    asked: list[bytes] = []
    done = threading.Event()

    def serve() -> None:
        connection, _ = sock.accept()
        with connection:
            octets = b""
            while b"}" not in octets:
                octets += connection.recv(1000)
            asked.append(octets)
            connection.sendall(answer)
            if not answer:
                done.wait(PATIENCE)

    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            done.set()
            thread.join()


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_the_request_as_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice\r\nEvil: 1")
    path = tmp_path / "s"
    with listener(path, http('{"message": "done"}')) as asked:
        assert ask_daemon(path, STATE, ASKED) == {"message": "done"}
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/machines/a%20b%2Fc/hold HTTP/1.1\r\n")
    assert b"\r\nX-State-Directory: /srv/st%C3%A4te\r\n" in head
    assert b"\r\nX-Sudo-User: alice?Evil: 1" in head
    assert body == b'{"why": "fan"}'


@pytest.mark.parametrize("dead", [False, True])
def test_no_daemon(tmp_path: Path, dead: bool) -> None:  # noqa: FBT001 - a parameter of the test
    path = tmp_path / "s"
    if dead:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    assert ask_daemon(path, STATE, ASKED) is None


def test_a_refusal_is_the_daemons_own_words(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with (
        listener(path, http('{"error": "it is taken"}', "409 Conflict")),
        pytest.raises(OperationError) as caught,
    ):
        ask_daemon(path, STATE, ASKED)
    assert str(caught.value) == "it is taken"


def test_one_that_accepts_and_never_answers(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listener(path, b""), pytest.raises(ControlError) as caught:
        ask_daemon(path, STATE, OpenWindow(seconds=1), patience=0.1)
    assert str(caught.value) == f"{path}: no answer within 0.1 s; see the daemon's log, or restart it"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{",
        http("["),
        http("[]"),
        http('"' + "x" * 10),
        http("[" * 100_000),
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000,
        b"\xff" * 100,
    ],
)
def test_an_answer_that_makes_no_sense(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "s"
    with listener(path, answer), pytest.raises(ControlError) as caught:
        ask_daemon(path, STATE, ASKED, patience=PATIENCE)
    line = str(caught.value)
    assert line.isprintable()
    assert re.fullmatch(
        rf"{path}: the service may be restarting; last error: .*; try again, or see its log", line
    ), line


def test_one_that_is_closed_to_this_user() -> None:
    with directory_for_nobody() as directory:
        path = directory / "s"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
            path.chmod(0)
            sock.listen()
            with without_root(), pytest.raises(ControlError) as caught:
                ask_daemon(path, STATE, ASKED)
    assert str(caught.value) == f"{path}: permission denied; try it with sudo"
