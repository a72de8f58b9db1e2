"""Repositories elsewhere, reached as people reach them: by https with a token, by ssh with a key; no secret in any argument."""

import asyncio
import getpass
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from support.hosted import Hosted
from support.ports import free_port
from support.repositories import Person, bare, git
from support.waiting import wait_until
from support.warm import run_warm

from iluvatar_pxe.errors import LostRaceError, RefusedPushError, RepositoryError
from iluvatar_pxe.gitops.origin import FollowedOrigin
from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.remote import Remote


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """Another daemon's hosted fleet."""
    with Hosted(tmp_path_factory.mktemp("forge")) as daemon:
        yield daemon


def by_token(forge: Hosted, directory: Path, token: str) -> Remote:
    file = directory / "token"
    file.write_text(f"{token}\n")
    return Remote(forge.url(), directory / "hosts", token_file=file, ca_file=forge.authority())


async def pushed(remote: Remote, repository: Repository) -> str:
    """Fetch, commit and push; return the commit."""
    await remote.fetch(repository.path, "main")
    old = await repository.tip()
    assert old
    new = await repository.draft(old, Changes("A change\n", {"note.txt": os.urandom(8).hex().encode()}))
    await remote.push(repository.path, "main", old, new)
    return new


async def test_https_with_a_token(forge: Hosted, tmp_path: Path) -> None:
    remote, copy = by_token(forge, tmp_path, forge.token), bare(tmp_path / "copy.git")
    new = await pushed(remote, copy)
    assert await forge.repository.tip() == new
    with pytest.raises(LostRaceError):
        await remote.push(copy.path, "main", f"{new}~1", await copy.draft(new, Changes("late\n", {"x": b""})))


async def test_the_token_is_in_no_argument_and_no_environment(
    forge: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that tells on itself: everything that it and its children were started with."""
    told = tmp_path / "told"
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\n{{ env; printf "%s\\n" "$@"; }} >>{told}\nexec /usr/bin/git "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    await pushed(by_token(forge, tmp_path, forge.token), bare(tmp_path / "copy.git"))
    assert "refs/heads/main" in told.read_text()
    assert forge.token not in told.read_text()


async def test_tokens_that_do_not_suffice_are_said_so(forge: Hosted, tmp_path: Path) -> None:
    reader = run_warm("fleet", "token", "add", "reader", "--config", str(forge._file)).output.split()
    token = next(word for word in reader if word.startswith("ilu_"))
    remote, copy = by_token(forge, tmp_path, token), bare(tmp_path / "copy.git")
    with pytest.raises(RefusedPushError, match=r"check \[fleet\] token_file or ssh_key; allow it to push"):
        await pushed(remote, copy)
    wrong = by_token(forge, tmp_path, "ilu_wrong")
    with pytest.raises(
        RepositoryError, match=r"cannot be fetched: .*; check \[fleet\] token_file or ssh_key"
    ) as caught:
        await wrong.fetch(copy.path, "main")
    assert "ilu_wrong" not in str(caught.value)


async def test_a_server_that_nobody_vouches_for_is_not_believed(forge: Hosted, tmp_path: Path) -> None:
    remote = Remote(forge.url(), tmp_path / "hosts")
    with pytest.raises(RepositoryError, match="certificate"):
        await remote.fetch(bare(tmp_path / "copy.git").path, "main")


async def test_a_command_may_fetch_beside_the_daemon(tmp_path: Path) -> None:
    """Each reads where the copy's branch is, and then moves it: the second one must not fail for that."""
    central, copy = bare(tmp_path / "central.git"), bare(tmp_path / "copy.git")
    remote = Remote(f"file://{central.path}", tmp_path / "hosts")
    person = Person(tmp_path / "clone", str(central.path))
    for number in range(4):
        commit = person.commit({"fleet.yaml": f"# {number}\n"})
        person.push()
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(remote.fetch(copy.path, "main"))
        assert await copy.tip() == commit


async def test_what_arrived_counts_though_another_process_has_fetched_it(tmp_path: Path) -> None:
    central, copy = bare(tmp_path / "central.git"), bare(tmp_path / "copy.git")
    person = Person(tmp_path / "clone", str(central.path))
    old = person.commit({"fleet.yaml": ""})
    person.push()
    remote = Remote(f"file://{central.path}", tmp_path / "hosts")
    origin = FollowedOrigin(copy, remote, 1.0, read_only=False)
    assert await origin.newest() == old
    new = await copy.draft(old, Changes("A change\n", {"note.txt": b""}))
    hook = central.path / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\nunset GIT_DIR GIT_QUARANTINE_PATH\ngit -C {copy.path} update-ref refs/heads/main {new}\n"
    )
    hook.chmod(0o755)
    await origin.push(old, new)
    assert await copy.tip() == new


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[str]:
    """A real sshd on loopback that takes one key; gives the URL of a repository that it reaches."""
    person = Person(tmp_path / "clone", str(bare(tmp_path / "central.git").path))
    person.commit({"fleet.yaml": ""})
    person.push()
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    (tmp_path / "authorized").write_bytes((tmp_path / "user.pub").read_bytes())
    port = free_port()
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
    }
    (tmp_path / "sshd").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # where it parts with its rights
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(tmp_path / "sshd")], stderr=subprocess.PIPE
    )
    try:
        assert server.stderr
        assert b"listening" in server.stderr.readline()
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path / 'central.git'}"
    finally:
        server.terminate()
        server.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sshd parts with its rights")
async def test_ssh_with_a_key(ssh: str, tmp_path: Path) -> None:
    remote = Remote(ssh, tmp_path / "hosts", ssh_key=tmp_path / "user")
    copy = bare(tmp_path / "copy.git")
    new = await pushed(remote, copy)
    assert git(tmp_path / "central.git", "rev-parse", "main").strip() == new
    assert "ssh-ed25519" in (tmp_path / "hosts").read_text(), "the host is known from now on"
    other = Remote(ssh, tmp_path / "hosts", ssh_key=tmp_path / "host")
    with pytest.raises(RepositoryError, match=r"Permission denied.*; check \[fleet\] token_file or ssh_key"):
        await other.fetch(copy.path, "main")


def test_a_mirror_gets_every_branch_and_what_is_gone_goes(tmp_path: Path) -> None:
    mirror = bare(tmp_path / "mirror.git")
    (tmp_path / "pi").mkdir()
    with Hosted(tmp_path / "pi", {"fleet": {"mirror": f"file://{mirror.path}"}}) as daemon:

        def mirrored() -> bool:
            return git(mirror.path, "for-each-ref") == "".join(
                f"{line}\n"
                for line in git(daemon.repository.path, "for-each-ref").splitlines()
                if "refs/heads/" in line
            )

        wait_until(mirrored, "the first push")
        ada = daemon.owner(tmp_path / "clone")
        ada.commit({"note.txt": "1"})
        ada.push()
        wait_until(mirrored, "the change to arrive")
        moved = mirror.path.rename(tmp_path / "away.git")
        ada.commit({"note.txt": "2"})
        ada.push()
        wait_until(
            lambda: "cannot be mirrored to" in daemon.ready()[1]["parts"]["fleet"], "the fault to be told"
        )
        moved.rename(mirror.path)
        ada.commit({"note.txt": "3"})
        ada.push()
        wait_until(mirrored, "the mirror to be up to date again")
        wait_until(lambda: daemon.ready()[1]["parts"]["fleet"] == "ok", "all to be well")


class _Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody on to ``target``, or asks for a password, and remembers what came."""

    target = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        type(self).asked.append(self.headers.get("Authorization", ""))
        self.send_response(302 if self.target else 401)
        self.send_header(
            *(
                ("Location", f"{self.target}{self.path}")
                if self.target
                else ("WWW-Authenticate", "Basic realm=x")
            )
        )
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


async def test_a_token_does_not_go_where_a_server_sends_it(tmp_path: Path) -> None:
    asked: list[str] = []
    thief = type("Thief", (_Elsewhere,), {"asked": asked})
    with HTTPServer(("127.0.0.1", 0), thief) as other:
        forwards = type("Forwards", (_Elsewhere,), {"target": f"http://127.0.0.1:{other.server_port}"})
        with HTTPServer(("127.0.0.1", 0), forwards) as server:
            for one in (server, other):
                threading.Thread(target=one.serve_forever, daemon=True).start()
            (tmp_path / "token").write_text("s3cret")
            remote = Remote(
                f"http://127.0.0.1:{server.server_port}/x.git", tmp_path / "h", tmp_path / "token"
            )
            with pytest.raises(RepositoryError, match="cannot be fetched"):
                await remote.fetch(bare(tmp_path / "copy.git").path, "main")
            server.shutdown()
            other.shutdown()
    assert asked == []


async def test_what_talks_to_a_remote_has_limits(tmp_path: Path) -> None:
    repository = bare(tmp_path / "copy.git")
    limited = Git(repository.path, {"alias.limit": "!ulimit -v"}, memory=1 << 30)
    assert await limited.run("limit") == b"1048576\n"
    assert Remote("file:///x", tmp_path).git(repository.path).memory == 1 << 30
    chatty = Git(repository.path, {"alias.chat": "!yes remote: x | head -c 50000000 >&2; false"})
    status, _, complaint = await chatty.attempt("chat")
    assert (status, len(complaint) <= 1 << 16) == (1, True)
