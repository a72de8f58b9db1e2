"""``fleet keys renew``: a new recovery key, with a hosted repository."""

import re
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import loopback_settings, write_settings
from support.repositories import git

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


def test_nobody_renews_a_key_without_a_word(host: Host) -> None:
    host.run("fleet", "init")
    before = committed(host)
    answer = host.run("fleet", "keys", "renew")
    assert (answer.status, answer.error) == (
        2,
        "iluvatar-pxe: there is no terminal to confirm on; add --yes\n",
    )
    assert committed(host) == before
