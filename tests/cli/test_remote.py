"""``--server``: commands ask the daemon of another host, by TLS and a token, and no secret leaves this one otherwise."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Answer
from support.daemon import NO_INTERNET, Daemon
from support.warm import run_warm

from bench.booted import mac, machine
from iluvatar_pxe.cli import remote
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.machines.model import Machine

MAC = mac(1).hex(":")


class Remote:
    """A daemon, and commands of a user who knows its address, its CA and a token."""

    def __init__(self, daemon: Daemon, directory: Path) -> None:
        self.daemon = daemon
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(daemon.get("/ca.crt")[1])
        self.writes, self.reads = directory / "writes", directory / "reads"
        tokens = Tokens(daemon.state / "git")
        self.writes.write_text(tokens.add("ada", Right.WRITE) + "\n")
        self.reads.write_text(tokens.add("bob", Right.READ) + "\n")
        self.url = f"https://127.0.0.1:{daemon.tls_port}"

    def run(self, *command: str, token: Path | None = None, ca: bool = True, url: str = "") -> Answer:
        trusted = ("--ca", str(self.ca)) if ca else ()
        given = ("--token-file", str(token)) if token else ()
        ended = run_warm("--server", url or self.url, *trusted, *given, *command)
        return Answer(ended.status, ended.output, ended.error)


def know(daemon: Daemon, one: Machine) -> None:
    """Let a daemon that has not started know a machine."""
    daemon.state.mkdir(mode=0o750)
    store = Store(f"sqlite:///{daemon.state / 'inventory.db'}")
    store.open()
    store.write(Batch(machines={one.id: one}))
    store.close()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    daemon = Daemon(tmp_path_factory.mktemp("daemon"))
    daemon.environment = NO_INTERNET
    know(daemon, machine(1))
    with daemon as running:
        yield Remote(running, tmp_path_factory.mktemp("user"))


def test_everybody_may_read(there: Remote) -> None:
    listed = there.run("machines", "list", "--json")
    assert (listed.status, [one["macs"] for one in json.loads(listed.output)]) == (0, [[MAC]])
    assert there.run("enrol", "status").status == 0
    assert "wanted by" in there.run("assets", "status").output


def test_a_machine_is_shown_with_its_next_boot_and_why(there: Remote) -> None:
    shown = there.run("machines", "show", MAC, "--json")
    assert (shown.status, shown.error) == (0, "")
    page = json.loads(shown.output)
    assert page["macs"] == [MAC]
    assert page["plan"]["why"]
    assert there.run("machines", "show", MAC).status == 0


def test_a_write_token_changes_and_is_on_record(there: Remote) -> None:
    opened = there.run("enrol", "open", "5m", token=there.writes)
    assert opened.status == 0, opened
    assert [line["by"] for line in there.daemon.logged("web")] == ["token ada"]


@pytest.mark.parametrize(
    ("command", "token", "error"),
    [
        ("enrol open 5m", "", "log in, or give a token: Authorization: Bearer TOKEN"),
        ("enrol open 5m", "reads", "token bob is read-only"),
        ("notifications test", "reads", "token bob is read-only"),
        ("notifications test", "writes", "fleet.yaml names no notifications"),
        ("machines hold nobody", "writes", "nobody: no machine has this name, MAC or ID"),
    ],
)
def test_a_refusal_is_the_daemons_own_words(there: Remote, command: str, token: str, error: str) -> None:
    answer = there.run(*command.split(), token=getattr(there, token) if token else None)
    assert answer.status == 1
    assert error in answer.error
    assert len(answer.error.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "db backup /tmp/x", "fleet validate"])
def test_what_works_on_files_is_not_about_another_host(there: Remote, command: str) -> None:
    answer = there.run(*command.split())
    assert answer.status == 2
    assert "works on files of the daemon's host; run it there, without --server" in answer.error


@pytest.mark.parametrize("command", ["cluster secrets export arda /tmp/x", "cluster kubeconfig arda"])
def test_no_secret_is_asked_for_over_the_network(there: Remote, command: str) -> None:
    answer = there.run(*command.split(), token=there.writes)
    assert answer.status == 2
    assert "run this on the daemon's host, without --server: its answer has secrets" in answer.error


def test_an_unknown_ca_is_refused_with_the_remedy(there: Remote) -> None:
    answer = there.run("machines", "list", ca=False, token=there.writes)
    assert answer.status == 1
    assert f"get its CA from {there.url}/ca.crt, compare it, and pass --ca FILE" in answer.error


def test_nobody_listens_there(there: Remote) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        answer = there.run("machines", "list", url=f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert answer.status == 1
    assert "no daemon answers there: [Errno 111] Connection refused" in answer.error


@pytest.mark.parametrize(
    "url",
    [
        "192.0.2.1",
        "ftp://192.0.2.1",
        "http://",
        "https://192.0.2.1/path",
        "https://192.0.2.1:99999",
        "https://192.0.2.1:port",
        "https://[bad",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="not an address such as"):
        remote.choose(url, None, None, "machines")


def test_a_token_never_goes_over_the_network_in_clear(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    with pytest.raises(UsageError, match="would go over the network in clear; use https"):
        remote.choose("http://192.0.2.1:8080", token, None, "machines")
    assert remote.chosen() is None
