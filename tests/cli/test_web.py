"""``web password``, and what a daemon prints of the first one."""

import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import HERE, Daemon
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.web.login.logins import Logins

PASSWORD = "correct horse battery"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def piped(host: Host, text: str) -> tuple[int, str, str]:
    process = host.start("web", "password", stdin=subprocess.PIPE)
    output, error = process.communicate(text)
    return process.returncode, output, error


def read_until(terminal: int, text: bytes) -> bytes:
    shown = b""
    while text not in shown:
        assert select.select([terminal], [], [], PATIENCE)[0], shown
        shown += os.read(terminal, 4096)
    return shown


def logins(host: Host) -> Logins:
    return Logins(host.state / "web")


def test_a_password_is_read_from_standard_input(host: Host) -> None:
    assert piped(host, f"{PASSWORD}\n") == (0, "the password is set, and everybody is logged out\n", "")
    secret = logins(host).log_in(PASSWORD)
    assert secret
    assert piped(host, "another password")[0] == 0
    assert not logins(host).knows(secret), "a new password ends every session"
    assert not logins(host).log_in(PASSWORD)
    assert (host.state / "web" / "login.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "\n", "short\n", "x" * 5000, f"\x1b{PASSWORD}\n"])
def test_what_is_no_password_changes_nothing(host: Host, text: str) -> None:
    status, output, error = piped(host, text)
    assert (status, output) == (2, "")
    assert error.count("\n") == 1
    assert text.strip() not in error or not text.strip()
    assert not logins(host).has_password


def test_on_a_terminal_it_is_asked_for_twice_and_not_shown(host: Host) -> None:
    ours, theirs = pty.openpty()
    command = [*HERE, "web", "password", "--config", str(host.config)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    for prompt in (b"New password: ", b"Repeat for confirmation: "):  # what is typed before is thrown away
        shown += read_until(ours, prompt)
        os.write(ours, f"{PASSWORD}\n".encode())
    shown += read_until(ours, b"logged out")
    assert process.wait(PATIENCE) == 0
    os.close(ours)
    assert PASSWORD.encode() not in shown
    assert logins(host).log_in(PASSWORD)


def test_it_is_never_an_argument(host: Host) -> None:
    answer = host.run("web", "password", PASSWORD)
    assert answer.status == 2
    assert PASSWORD not in answer.output


def test_a_daemon_prints_a_token_until_a_password_is_set(tmp_path: Path) -> None:
    pattern = r"^ {2}https://127\.0\.0\.1:\d+/login\?token=(\S{19})$"
    with Daemon(tmp_path) as daemon:
        found = wait_until(lambda: re.search(pattern, daemon.output, re.MULTILINE), "the token")
        assert found
        kept = b"".join(path.read_bytes() for path in daemon.state.rglob("*") if path.is_file())
        assert found[1].encode() not in kept
        assert found[1] not in "".join(daemon.errors)
    Logins(daemon.state / "web").set_password(PASSWORD)
    with Daemon(tmp_path, daemon.settings) as again:
        assert "token=" not in again.output
    (again.state / "web" / "login.json").unlink()
    service = Daemon(tmp_path, daemon.settings)
    service.environment = {"INVOCATION_ID": "0" * 32}
    with service:
        assert "token=" not in service.output, "a log would keep it"
