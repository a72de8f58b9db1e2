"""``iluvatar-pxe status`` and ``machines list --watch``: what runs, what boots, and what needs its owner."""

import json
import os
import pty
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import HERE, Daemon
from support.machines import machine_of
from support.waiting import PATIENCE
from support.warm import run_warm

from iluvatar_pxe.machines.states import Phase

HELD, BOOTING = "52:54:00:00:00:01", "52:54:00:00:00:02"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    host.know(
        machine_of(HELD, conflict="it appears in two machines"),
        machine_of(BOOTING, phase=Phase.BOOTING),
    )
    return host


def test_what_needs_its_owner_is_named(host: Host) -> None:
    answer = host.run("status", "--json")
    assert answer.status == 1, "no daemon runs"
    lines = host.run("status").lines
    assert lines[0] == "  daemon      does not run"
    assert "  machines    2 (1 discovered, 1 booting)" in lines
    assert any(
        re.fullmatch(rf"  {BOOTING} *discover, .* ago", line) for line in lines[lines.index("Booting:") :]
    )
    needs = lines[lines.index("Needs you:") :]
    assert any(line.startswith("  daemon ") and "start it" in line for line in needs)
    assert any(line.startswith(f"  {HELD}") and "it appears in two machines" in line for line in needs)


def test_a_fleet_that_cannot_be_read_is_what_needs_its_owner(host: Host) -> None:
    host.write("fleet.yaml", "colour: red\n")
    page = json.loads(host.run("status", "--json").output)
    assert page["problems"]["fleet"].endswith(
        "fleet.yaml:1: colour: no such key; remove it or correct its name"
    )
    assert page["machines"] == {"discovered": 1, "booting": 1}


def test_an_inventory_that_cannot_be_read_is_no_empty_one(host: Host) -> None:
    host.database.write_bytes(b"no database" * 1000)
    lines = host.run("status").lines
    assert not any(line.startswith(("  machines ", "  enrolment ")) for line in lines)
    assert any(re.match("  inventory .*it is damaged or not a database", line) for line in lines)
    host.database.unlink()
    lines = host.run("status").lines
    assert "  machines    none yet; boot one from the network" in lines
    assert not any(line.startswith("  inventory ") for line in lines)


def test_a_running_daemon_is_told_apart(tmp_path: Path) -> None:
    with Daemon(tmp_path):
        lines = run_warm("status", "--config", str(tmp_path / "config.toml")).output.splitlines()
    assert lines[0] == "  daemon      runs"
    assert "  machines    none yet; boot one from the network" in lines
    assert any(re.fullmatch("  enrolment   open for .* more", line) for line in lines)


def test_boot_files_that_nobody_brings_need_their_owner(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    (fleet / "layers").mkdir(parents=True)
    (fleet / "fleet.yaml").write_text("assets: {versions: {longhorn: v1.12.2}}\n")
    (fleet / "layers/ainur.yaml").write_text("kind: k3s\nk3s: {version: stable}\n")
    with Daemon(tmp_path, {"fleet": {"source": str(fleet)}}) as daemon:
        lines = run_warm("status", "--config", str(tmp_path / "config.toml")).output.splitlines()
        page = json.loads(run_warm("status", "--json", "--config", str(tmp_path / "config.toml")).output)
        ready = daemon.get("/readyz")[1].decode()
    assert any(line.startswith("  boot files  ") and "assets status" in line for line in lines), lines
    assert "Nothing needs you." not in lines
    why = (
        "which version of k3s is stable is not known yet: nobody asks while [assets] fetch is false, "
        "or without a daemon; write a version into the layer's file"
    )
    assert {one["name"]: one["trouble"] for one in page["missing"]}["k3s"] == why
    assert why in json.loads(ready)["boot"]


def test_the_list_is_watched_until_it_is_interrupted(host: Host) -> None:
    ours, theirs = pty.openpty()
    command = [*HERE, "machines", "list", "--watch", "--config", str(host.config)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, start_new_session=True) as process:
        shown = b""
        while shown.count(b"\x1b[2J") < 2:
            assert select.select([ours], [], [], PATIENCE)[0], shown
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in {130, -signal.SIGINT}
    assert shown.count(BOOTING.encode()) >= 1
    os.close(ours)
    os.close(theirs)


def test_a_pipe_is_not_watched(host: Host) -> None:
    answer = host.run("machines", "list", "--watch")
    assert (answer.status, answer.error) == (2, "iluvatar-pxe: --watch needs a terminal, and no --json\n")
