"""What a running daemon tells, and what commands read where none runs: the same, to the last octet."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.test_machines import known_host
from support.command import Answer, Host
from support.daemon import Daemon, write_settings

ASKED = (
    "machines list",
    "machines list --all",
    "machines list --json",
    "machines list --json --all",
    "machines show arda-01",
    "machines show arda-01 --json",
    "machines show 52:54:00:00:00:03 --boots 0",
    "machines show nobody",
    "plan arda-01",
    "plan big --json",
    "plan 52:54:00:00:00:99 --firmware bios-pxe --json",
    "plan nobody",
)


OF_A_DAEMON = {"running", "problems", "missing"}
"""What ``status`` tells of the daemon itself."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return known_host(tmp_path)


def test_a_daemon_tells_what_is_recorded(host: Host) -> None:
    daemon = Daemon(host.directory)
    write_settings(host.config, daemon.settings)
    with daemon:
        assert host.run("enrol", "close").status == 0
        told, overview = asked(host), status(host)
    recorded = asked(host)
    assert status(host) == overview
    assert [one["machine"] for one in overview["waiting"]][-1] == "big", overview
    assert {words for words in ASKED if told[words] != recorded[words]} == set()
    assert told["plan arda-01"].output
    assert "no machine has this name" in told["plan nobody"].error


def asked(host: Host) -> dict[str, Answer]:
    return {words: host.run(*words.split()) for words in ASKED}


def status(host: Host) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(host.run("status", "--json").output)
    return {key: value for key, value in page.items() if key not in OF_A_DAEMON}
