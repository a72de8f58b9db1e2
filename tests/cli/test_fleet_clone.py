"""The lines that clone a repository, as they are printed, typed into a shell: with the real curl and git, in a new home."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hosted import Hosted
from support.repositories import PERSON
from support.warm import run_warm

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with Hosted(tmp_path_factory.mktemp("pi")) as daemon:
        yield daemon


class Home:
    """Somebody's home on another host, who answers git's questions with a token."""

    def __init__(self, directory: Path, token: str) -> None:
        self.directory = directory
        ask = directory / "ask"
        ask.write_text(f"#!/bin/sh\necho {token}\n")
        ask.chmod(0o755)
        rest = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        person = {key: value for key, value in PERSON.items() if "CONFIG" not in key}
        self._environment = {**rest, **person, "HOME": str(directory), "GIT_ASKPASS": str(ask)}

    def types(self, line: str, place: str = "work") -> str:
        """Type a line in some directory, and return what the terminal shows."""
        directory = self.directory / place
        directory.mkdir(exist_ok=True)
        done = subprocess.run(
            line,
            shell=True,
            cwd=directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        return done.stdout


def printed(daemon: Hosted, *words: str) -> list[str]:
    """Return the lines to type that a command prints."""
    told = run_warm(*words, "--config", str(daemon._file))
    assert told.status == 0, told.error
    return re.findall(r"^  ((?:git|curl|openssl) .*)$", told.output, re.MULTILINE)


def clone_pull_and_push(home: Home, lines: list[str], name: str) -> None:
    """Clone twice; the one pulls what the other has pushed."""
    for line in lines:
        home.types(line, "one")
        home.types(line, "two")
    one, two = f"one/{name}", f"two/{name}"
    home.types("echo Hello >>NOTE && git add NOTE && git commit --quiet --message Hello", one)
    home.types("git push --quiet origin HEAD", one)
    home.types("git pull --quiet", two)
    assert (home.directory / two / "NOTE").read_text() == (home.directory / one / "NOTE").read_text()


def test_the_lines_of_init_clone_here_and_elsewhere_and_go_on_working(pi: Hosted, tmp_path: Path) -> None:
    local, *elsewhere = printed(pi, "fleet", "init")
    assert [line.split()[0] for line in (local, *elsewhere)] == ["git", "curl", "openssl", "git"]
    for name, lines in (("here", [local]), ("elsewhere", elsewhere)):
        (tmp_path / name).mkdir()
        clone_pull_and_push(Home(tmp_path / name, pi.token), lines, "fleet")


def test_the_lines_of_a_new_token_clone(pi: Hosted, tmp_path: Path) -> None:
    clone_pull_and_push(Home(tmp_path, pi.token), printed(pi, "fleet", "token", "add", "ada"), "fleet")


def test_the_lines_of_a_new_repository_clone(pi: Hosted, tmp_path: Path) -> None:
    clone_pull_and_push(Home(tmp_path, pi.token), printed(pi, "fleet", "repository", "add", "apps"), "apps")


def test_what_was_fetched_in_clear_is_compared_with_what_is_printed(pi: Hosted) -> None:
    told = run_warm("fleet", "init", "--config", str(pi._file)).output
    fetched = pi.get("/ca.crt")[1].decode()
    assert re.findall(r"must be (\S+)", told) == re.findall(r"SHA-256 (\S+)", fetched)


def test_with_a_certificate_of_ones_own_a_plain_clone_is_printed(pi: Hosted) -> None:
    environment = {f"ILUVATAR_PXE_HTTP__TLS_{what}": "/x.pem" for what in ("CERTIFICATE", "KEY")}
    told = run_warm("fleet", "token", "add", "own", "--config", str(pi._file), **environment)
    assert re.findall(r"^  git .*$", told.output, re.MULTILINE) == [f"  git clone {pi.url()}"], told.error
    assert "curl" not in told.output
