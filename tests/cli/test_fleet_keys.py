"""``fleet keys renew``: a new recovery key, with a hosted repository."""

import re
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import loopback_settings, write_settings
from support.repositories import git
from support.warm import run_warm

from iluvatar_pxe.gitops.secrets.sealing import key_of

KEY = re.compile(r"^ {2}(AGE-SECRET-KEY-\w+)$", re.MULTILINE)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    write_settings(host.config, loopback_settings(host.state) | {"fleet": {"source": "hosted"}})
    return host


def committed(host: Host) -> str:
    return git(host.state / "git/fleet.git", "show", "main:recipients.yaml")


def test_a_recovery_key_is_renewed(host: Host) -> None:
    first = KEY.search(host.run("fleet", "init").output)
    answer = host.run("fleet", "keys", "renew", "--yes")
    second = KEY.search(answer.output)
    assert first
    assert second
    former, new = (str(key_of(found[1], "key").to_public()) for found in (first, second))
    assert f"recovery: {new}\n" in committed(host)
    assert former not in committed(host)
    assert answer.lines[-1] == "The former recovery key opens nothing: no file was sealed to it."


def test_what_the_former_key_opens_is_found_in_the_history(host: Host) -> None:
    host.run("fleet", "init")
    repository = host.state / "git/fleet.git"
    clone = host.directory / "clone"
    git(host.directory, "clone", "--quiet", str(repository), str(clone))
    (clone / "configs").mkdir(exist_ok=True)
    (clone / "configs/worker.yaml").write_text("machine: {token: x}\n")
    assert run_warm("fleet", "seal", str(clone / "configs/worker.yaml")).status == 0
    steps = ("add --all", "commit -qm Seal", "rm -q configs/worker.yaml", "commit -qm Gone")
    for step in (*steps, f"push --quiet {repository} HEAD:main"):
        git(clone, *step.split())
    lines = host.run("fleet", "keys", "renew", "--yes").lines
    assert "  configs/worker.yaml" in lines
    assert lines[-1] == "If somebody else may have that key, change the secrets in them."


def test_nobody_renews_a_key_without_a_word(host: Host) -> None:
    host.run("fleet", "init")
    before = committed(host)
    answer = host.run("fleet", "keys", "renew")
    assert (answer.status, answer.error) == (
        2,
        "iluvatar-pxe: there is no terminal to confirm on; add --yes\n",
    )
    assert committed(host) == before
