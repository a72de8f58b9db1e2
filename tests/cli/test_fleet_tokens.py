"""``fleet token add|list|revoke`` and ``fleet repository add|list``: files only, with and without a daemon."""

import re
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import loopback_settings, write_settings
from support.repositories import git

from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens

SECRET = re.compile(r"^ {2}(ilu_[\w-]{43})$", re.MULTILINE)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def token(host: Host, *words: str) -> str:
    """Make a token, and return it."""
    answer = host.run("fleet", "token", "add", *words)
    assert answer.status == 0, answer.error
    found = SECRET.search(answer.output)
    assert found, answer.output
    return found[1]


def test_a_token_is_shown_once_with_how_to_use_it(host: Host) -> None:
    answer = host.run("fleet", "token", "add", "ada", "--write")
    assert "Token ada (read and write). It is shown only once:" in answer.lines
    clone = r"^ {2}git clone -c http\.sslCAInfo=\S+ https://127\.0\.0\.1:\d+/git/fleet\.git$"
    assert re.search(clone, answer.output, re.MULTILINE)
    found = SECRET.search(answer.output)
    assert found
    held = Tokens(host.state / "git").holder(found[1])
    assert held
    assert (held.name, held.right) == ("ada", Right.WRITE)
    assert found[1] not in host.run("fleet", "token", "list").output


def test_a_program_gets_it_as_json(host: Host) -> None:
    made = host.run("fleet", "token", "add", "argocd", "--json").json
    assert made["name"] == "argocd"
    assert made["right"] == "read"
    assert made["url"].endswith("/git/fleet.git")
    assert Tokens(host.state / "git").holder(made["token"])


def test_all_are_listed_until_they_are_revoked(host: Host) -> None:
    assert host.run("fleet", "token", "list").lines[0].startswith("There are no tokens. ")
    assert host.run("fleet", "token", "list", "--json").json == []
    secret = token(host, "ada", "--write")
    token(host, "argocd")
    lines = host.run("fleet", "token", "list").lines
    assert [line.split()[:2] for line in lines] == [["TOKEN", "RIGHT"], ["ada", "write"], ["argocd", "read"]]
    listed = host.run("fleet", "token", "list", "--json").json
    assert [(one["name"], one["right"]) for one in listed] == [("ada", "write"), ("argocd", "read")]
    assert all(one.keys() == {"name", "right", "created"} for one in listed)
    assert host.run("fleet", "token", "revoke", "ada").lines == ["token ada is revoked"]
    assert Tokens(host.state / "git").holder(secret) is None
    assert [one["name"] for one in host.run("fleet", "token", "list", "--json").json] == ["argocd"]


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["add", "Ada"], 2, "iluvatar-pxe: 'Ada' is not a token name; use up to 63 of a-z, 0-9 and '-'"),
        (["add", "bob"], 1, "iluvatar-pxe: token bob already exists; revoke it, or use another name"),
        (["revoke", "ada"], 1, "iluvatar-pxe: no token 'ada'; existing tokens: bob"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    host: Host, words: Sequence[str], status: int, error: str
) -> None:
    token(host, "bob")
    answer = host.run("fleet", "token", *words)
    assert (answer.status, answer.error, answer.output) == (status, f"{error}\n", "")


def test_a_damaged_list_is_told_and_left(host: Host) -> None:
    token(host, "ada")
    path = host.state / "git/tokens.json"
    path.write_text("{")
    for words in (["add", "bob"], ["list"], ["revoke", "ada"]):
        answer = host.run("fleet", "token", *words)
        assert answer.status == 1
        assert re.fullmatch(rf"iluvatar-pxe: {re.escape(str(path))}: is damaged: .*\n", answer.error)
    assert path.read_text() == "{"


def test_nobody_else_reads_what_is_kept(host: Host) -> None:
    token(host, "ada")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (host.state / "git").iterdir()}
    assert modes == {"tokens.json": 0o600, "tokens.lock": 0o600}


def test_repositories_of_ones_own_are_made_and_listed(host: Host) -> None:
    assert host.run("fleet", "repository", "list").lines[0].startswith("No repositories are hosted here. ")
    answer = host.run("fleet", "repository", "add", "my-apps", "--branch", "trunk")
    path = host.state / "git/my-apps.git"
    url = answer.lines[-1].rpartition(" ")[2]
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+/git/my-apps\.git", url)
    assert answer.lines[0] == f"{path} is hosted. To clone it:"
    assert git(path, "symbolic-ref", "HEAD").strip() == "refs/heads/trunk"
    assert not (path / "hooks").exists()
    listed = host.run("fleet", "repository", "list", "--json").json
    assert listed == [{"name": "my-apps", "directory": str(path), "url": url}]
    lines = host.run("fleet", "repository", "list").lines
    assert [line.split()[0] for line in lines] == ["REPOSITORY", "my-apps"]
    git(path, "config", "gc.auto", "0")
    assert host.run("fleet", "repository", "add", "my-apps").status == 0
    assert git(path, "config", "gc.auto").strip() == "0", "what is there stays"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("../x", "'../x' is not a repository name; use up to 63 of a-z, 0-9, '.', '_' and '-'"),
        ("fleet", "fleet is the fleet's own repository; create it with 'iluvatar-pxe fleet init'"),
    ],
)
def test_what_is_no_repository_of_ones_own_is_refused(host: Host, name: str, error: str) -> None:
    settings = loopback_settings(host.state)
    write_settings(host.config, settings | {"fleet": {"source": "hosted"}})
    answer = host.run("fleet", "repository", "add", name)
    assert (answer.status, answer.error) == (2, f"iluvatar-pxe: {error}\n")
    assert not (host.state / "git").exists()
