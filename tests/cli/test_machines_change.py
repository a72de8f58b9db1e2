"""Commands that change something: through a daemon that runs, and on the database when none does."""

import json
import os
import pty
import pwd
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from support.command import Host, finished
from support.daemon import Daemon

from iluvatar_pxe.inventory.database.read_only import read_only
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Attempts, Directive, Intent, Phase, Role

ARDA = "kind: talos\ntalos: {version: v1.13.9, schematic: abc}\n"
SEEN = datetime(2026, 1, 2, tzinfo=UTC)
ONE, TWO, THREE, LISTED = (f"52:54:00:00:00:0{number}" for number in (1, 2, 3, 4))
ME = pwd.getpwuid(os.geteuid()).pw_name


def machine(number: int, *macs: str, **changes: Any) -> Machine:
    known: dict[str, Any] = {
        "id": UUID(int=number << 112),
        "macs": macs,
        "generation": 1,
        "reached": Stage.SCRIPT,
        "furthest": Stage.SCRIPT,
        "first_seen": SEEN,
        "last_seen": SEEN,
        "firmware": Firmware.UEFI_PXE,
    }
    return Machine(**known | changes)


def prepared(directory: Path) -> Host:
    """Return a host that knows four machines, of which a file lists one."""
    host = Host(directory)
    host.write("layers/arda.yaml", ARDA)
    host.write("machines/big.yaml", f'match: {{macs: ["{LISTED}"]}}\nchain: hold\nintent: hold\n')
    failed = {"phase": Phase.FAILED, "attempts": Attempts("talos", Stage.CONFIG, (SEEN,), 1)}
    host.know(
        machine(0x1111, ONE, uuid=UUID(int=5), serial="5", conflict="two at once", product="box"),
        machine(0x2222, TWO, **failed),
        machine(0x3333, THREE),
        machine(0x4444, LISTED),
    )
    return host


@pytest.fixture(params=["daemon", "alone"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = prepared(tmp_path)
    if request.param == "alone":
        yield made
        assert not made.socket.exists()
        return
    with Daemon(tmp_path) as daemon:
        yield made
        assert daemon.process.poll() is None
        assert daemon.logged("control"), "the daemon has done it"
        assert daemon.stop() == 0
    assert not made.socket.exists(), "removed at a clean stop"


def known(host: Host, mac: str) -> Machine:
    """Return a machine as the database has it now."""
    found = read_only(f"sqlite:///{host.database}").snapshot.machine(mac)
    assert found
    return found


def done(host: Host, *arguments: str) -> str:
    """Return the line that a command answers with."""
    answer = host.run("machines", *arguments)
    assert (answer.status, answer.error) == (0, "")
    (line,) = answer.lines
    return line


def refused(host: Host, *arguments: str, status: int = 1) -> str:
    """Return the line of error of a command that cannot be done."""
    answer = host.run("machines", *arguments)
    assert (answer.status, answer.output) == (status, "")
    (line,) = answer.error.splitlines()
    return line.removeprefix("iluvatar-pxe: ")


def test_every_change(host: Host) -> None:
    assert done(host, "release", "52-54-00-00-00-01") == f"{ONE} is released"
    one = known(host, ONE)
    assert (one.conflict, one.uuid, one.serial, one.product) == ("", None, "", "")

    assert done(host, "release", "22220000") == f"{TWO} is released"
    assert (known(host, TWO).phase, known(host, TWO).attempts) == (Phase.DISCOVERED, Attempts())

    text = "arda-01 is controlplane of arda, assigned, intent boot"
    assert done(host, "set", ONE, "--layer", "arda") == text
    text = "cp is worker of arda, booting, intent boot"
    assert done(host, "set", "arda-01", "--name", "cp", "--role", "worker", "--phase", "booting") == text
    given = known(host, ONE).assignment
    assert given
    assert (given.name, given.role, given.rule) == ("cp", Role.WORKER, f"set by {ME}")

    assert done(host, "hold", "cp", "--why", "the fan\x1b") == "cp is held from its next boot"
    assert known(host, ONE).directive == Directive(Intent.HOLD, ME, "the fan?")
    told = json.loads(host.run("machines", "reinstall", "cp", "--yes", "--json").output)
    assert told["message"] == "cp is reinstalled at its next boot; its hold ends (the fan?)"
    assert known(host, ONE).directive == Directive(Intent.REINSTALL, ME)

    assert done(host, "merge", ONE, TWO) == f"cp now has the NICs {ONE}, {TWO}"
    assert known(host, TWO).macs == (ONE, TWO)
    assert done(host, "split", "cp", "525400000002") == f"cp now has {ONE}, and {TWO} is a machine of its own"
    assert known(host, TWO).macs == (TWO,)

    stays = "Its name stays reserved until reuseNames in layers/arda.yaml lists it."
    assert done(host, "forget", "cp", "--yes") == f"cp is forgotten. {stays}"
    assert read_only(f"sqlite:///{host.database}").snapshot.machine(ONE) is None
    assert done(host, "set", THREE, "--layer", "arda", "--role", "worker").startswith("arda-02 is worker")


def test_what_cannot_be_done(host: Host) -> None:
    fleet = "machines/big.yaml lists it and takes precedence; change that file"
    assert refused(host, "set", "big", "--role", "worker") == f"big: {fleet}"
    unknown = "no machine has this name, MAC or ID; list them with `iluvatar-pxe machines list --all`"
    assert refused(host, "hold", "no/bo dy?") == f"no/bo dy?: {unknown}"
    assert refused(host, "split", THREE, TWO) == f"{THREE} has no NIC {TWO}; it has {THREE}"
    assert (
        refused(host, "merge", THREE, THREE)
        == f"{THREE} and {THREE} are already the same machine, with the NICs {THREE}"
    )
    assert refused(host, "reinstall", THREE, "--yes").startswith(f"{THREE}: it has no place in the fleet yet")
    assert refused(host, "set", THREE, "--layer", "arda", "--name", "big").startswith(
        "big: machines/big.yaml has"
    )
    assert done(host, "release", "big").endswith("but machines/big.yaml says intent hold; change that file")
    assert done(host, "hold", "big") == "big is held from its next boot"
    assert (
        refused(host, "reinstall", "big", status=2)
        == refused(host, "forget", "big", status=2)
        == "there is no terminal to confirm on; add --yes"
    )
    stays = "machines/big.yaml stays in the fleet, and the machine has its place again when it boots; remove that file too."
    assert done(host, "forget", "big", "--yes") == f"big is forgotten. {stays}"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["set", ONE], "nothing to change; add --name, --layer, --role, --phase or --intent"),
        (["set", ONE, "--name", "-x"], "name: not a host name; use a-z, 0-9 and '-'"),
        (["split", ONE, "zz"], "mac: 'zz' is not a MAC address such as 52:54:00:12:34:56"),
        (["hold", ""], "machine: String should have at least 1 character"),
        (["forget", ONE], "there is no terminal to confirm on; add --yes"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], error: str) -> None:
    assert refused(prepared(tmp_path), *arguments, status=2) == error


@pytest.mark.parametrize(("key", "status", "stays"), [(b"n", 1, True), (b"y", 0, False)])
def test_forgetting_is_asked_about_on_a_terminal(
    tmp_path: Path, key: bytes, status: int, *, stays: bool
) -> None:
    host = prepared(tmp_path)
    leader, follower = pty.openpty()
    try:
        command = host.start("machines", "forget", THREE, stdin=follower)
        os.write(leader, key + b"\n")
        answer = finished(command)
    finally:
        os.close(leader)
        os.close(follower)
    assert answer.status == status
    assert answer.output.startswith(f"Forget {THREE} ({THREE}) and its boots? [y/N]: ")
    assert (THREE in read_only(f"sqlite:///{host.database}").snapshot.owners) == stays


def test_two_commands_at_once(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    commands = [host.start("machines", "hold", mac) for mac in (TWO, THREE)]
    assert [finished(command).status for command in commands] == [0, 0]
    assert {known(host, mac).directive.intent for mac in (TWO, THREE)} == {Intent.HOLD}


def test_a_daemon_that_was_killed_leaves_its_socket_behind(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    with Daemon(tmp_path) as daemon:
        daemon.process.send_signal(signal.SIGKILL)
        daemon.ends()
    assert host.socket.is_socket()
    done(host, "hold", THREE)
    assert known(host, THREE).directive.intent is Intent.HOLD
    with Daemon(tmp_path) as daemon:
        done(host, "release", THREE)
        assert daemon.logged("control")[0]["done"] == f"{THREE} is released"


def test_a_daemon_with_another_socket_is_never_passed_by(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    with Daemon(tmp_path, {"control": {"socket": str(tmp_path / "other.sock")}}) as daemon:
        settings = host.config.read_text()
        host.config.write_text(settings.replace("other.sock", "none.sock"))
        error = refused(host, "hold", THREE)
        assert daemon.stop() == 0
    text = f"{host.state}: a daemon uses it, but none listens at {tmp_path}/none.sock"
    assert error == f"{text}; try again with the daemon's own settings"
    assert known(host, THREE).directive == Directive()


def test_another_hosts_daemon_at_the_socket_is_not_asked_for_this_one(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    (tmp_path / "other").mkdir()
    with Daemon(tmp_path / "other", {"control": {"socket": str(host.socket)}}) as daemon:
        error = refused(host, "hold", THREE)
    assert error == f"this daemon's state directory is {daemon.state}; pass its settings with --config"
    assert known(host, THREE).directive == Directive()


def test_no_daemon_has_run_here(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    text = host.config.read_text().replace(str(host.state), str(tmp_path / "none"))
    host.config.write_text(text)
    remedy = "start the daemon first, or pass its settings with --config (and try sudo)"
    assert refused(host, "hold", THREE) == f"{tmp_path}/none: no such state directory; {remedy}"
    assert not (tmp_path / "none").exists()


def test_a_fleet_with_a_fault(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    host.write("fleet.yaml", "colour: red\n")
    assert "fleet.yaml:1: colour: no such key" in refused(host, "hold", THREE, status=2)


def test_what_the_control_socket_alone_serves_is_not_on_the_network(tmp_path: Path) -> None:
    prepared(tmp_path)
    json_body = {"Content-Type": "application/json"}
    with Daemon(tmp_path) as daemon:
        assert daemon.post("/api/v1/db/backup", b"{}", json_body) == 403
        assert daemon.post(f"/api/v1/machines/{THREE}/hold", b"{}", json_body) == 401


def test_what_was_done_is_told_in_the_machines_history(host: Host) -> None:
    done(host, "hold", THREE, "--why", "fan")
    with closing(sqlite3.connect(f"file:{host.database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT stage, detail, cause FROM boot_events").fetchall()
    assert rows == [("changed", "hold: fan", ME)]
