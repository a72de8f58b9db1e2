"""Which daemon a command is about, in network, mount and process namespaces of the test's own."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import HERE
from support.rights import NOBODY, directory_for_nobody
from support.waiting import PATIENCE

from iluvatar_pxe.host.daemons import serve_arguments

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces")
PROGRAM = shlex.join(HERE)
LOOPBACK = {"ILUVATAR_PXE_NETWORK__INTERFACES": '["lo"]', "ILUVATAR_PXE_LOG__FORMAT": "json"}
ASKING = (
    "fleet init",
    "fleet argocd arda",
    "fleet validate",
    "fleet token list",
    "fleet token add laptop",
    "fleet repository list",
    "fleet diff",
    "plan 52:54:00:12:34:56",
    "machines list",
    "enrol status",
    "check",
    "dns query git.lab.home.arpa",
    "db backup copy.db",
)
"""The commands that the installed service answers only to root."""


@pytest.mark.parametrize(
    ("command_line", "arguments"),
    [
        (["/opt/x/bin/python3", "/opt/x/bin/iluvatar-pxe", "serve"], ()),
        (["python3", "-W", "error", "-m", "iluvatar_pxe", "serve", "--config", "a"], ("--config", "a")),
        (["/usr/bin/python3.11", "bin/iluvatar-pxe", "serve", "--config=a"], ("--config=a",)),
        (["sudo", "iluvatar-pxe", "serve"], None),
        (["sh", "-c", "iluvatar-pxe serve"], None),
        (["python3", "/opt/x/bin/iluvatar-pxe", "check"], None),
        (["python3", "/opt/x/bin/other", "serve"], None),
        ([""], None),
        ([], None),
    ],
)
def test_a_daemon_is_known_by_its_command_line(
    command_line: list[str], arguments: tuple[str, ...] | None
) -> None:
    assert serve_arguments(command_line) == arguments


@pytest.fixture
def home() -> Iterator[Path]:
    with directory_for_nobody() as directory:
        (directory / "home").mkdir()
        os.chown(directory / "home", NOBODY, NOBODY)
        yield directory


def run(home: Path, script: str) -> str:
    """Run a script as root, where no other daemon is to be seen, and return what it prints."""
    namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    prepared = f"set -eu; ip link set lo up; cd {home}; {script}"
    environment = {name: value for name, value in os.environ.items() if "STATE" not in name}
    ended = subprocess.run(
        ["unshare", *namespaces, "sh", "-c", prepared],
        env={**environment, "HOME": str(home / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=4 * PATIENCE,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


_ONE_AFTER_THE_OTHER = """\
import shlex, sys
from iluvatar_pxe.cli.main import main
for command in sys.argv[1:]:
    sys.argv[0:] = ["iluvatar-pxe", *shlex.split(command)]
    try:
        main()
    except SystemExit as end:
        print("exit", end.code, file=sys.stderr)
"""


def by_nobody(*commands: str) -> str:
    """Return shell words that run commands of ours as a user without rights, and print how each ends."""
    drop = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups"
    words = shlex.join([sys.executable, "-c", _ONE_AFTER_THE_OTHER, *commands])
    return f"{drop} {words} </dev/null"


def started(state: Path, user: str = "") -> str:
    """Return shell words that start a daemon with a state directory, and wait until commands reach it."""
    variables = {
        **LOOPBACK,
        "ILUVATAR_PXE_STATE__DIRECTORY": str(state),
        "ILUVATAR_PXE_CONTROL__SOCKET": f"{state}/control.sock",
    }
    environment = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return (
        f"env {environment} {user} {PROGRAM} serve >{state}.log 2>&1 & "
        f"until test -S {state}/control.sock; do sleep 0.1; done"
    )


@ROOT_ONLY
def test_commands_find_the_daemon_that_runs_with_its_own_state(home: Path) -> None:
    state = home / "state"
    output = run(home, f"{started(state)}; {PROGRAM} fleet token list; {PROGRAM} fleet validate")
    assert "owner  write" in " ".join(output.split()).replace("owner write", "owner  write")
    assert f"{state}/git/fleet.git: valid" in output


@ROOT_ONLY
def test_of_two_daemons_one_has_to_be_named(home: Path) -> None:
    ports = (
        "ILUVATAR_PXE_DHCP__PORT=1067 ILUVATAR_PXE_DHCP__PXE_PORT=1411 ILUVATAR_PXE_DHCP__CLIENT_PORT=1068"
    )
    more = "ILUVATAR_PXE_TFTP__PORT=1069 ILUVATAR_PXE_HTTP__PORT=1080 ILUVATAR_PXE_HTTP__TLS_PORT=1443 ILUVATAR_PXE_DNS__PORT=1053"
    more += " ILUVATAR_PXE_TALOS__EVENT_PORT=1333 ILUVATAR_PXE_TALOS__KERNEL_LOG_PORT=1334"
    one, two = home / "one", home / "two"
    output = run(
        home, f"{started(one)}; export {ports} {more}; {started(two)}; {PROGRAM} check || echo exit $?"
    )
    assert f"2 daemons run here, with the state directories {one}, {two}; name one: " in output
    assert output.endswith("exit 1\n")


@ROOT_ONLY
def test_another_users_daemon_is_asked_with_sudo(home: Path) -> None:
    commands = by_nobody(*ASKING)
    output = run(home, f"{started(home / 'state')}; {commands}").splitlines()
    lines, statuses = output[::2], output[1::2]
    assert statuses == ["exit 1"] * len(ASKING)
    for line, command in zip(lines, ASKING, strict=True):
        assert line.startswith("iluvatar-pxe: another user's daemon runs here (process ")
        assert line.endswith(f"{command}")
        assert "try: sudo " in line


@ROOT_ONLY
def test_the_installed_service_is_asked_with_sudo(home: Path) -> None:
    unit = "mount -t tmpfs none /etc/systemd/system; touch /etc/systemd/system/iluvatar-pxe.service"
    commands = by_nobody(*ASKING)
    output = run(home, f"{unit}; {commands}").splitlines()
    lines, statuses = output[::2], output[1::2]
    assert statuses == ["exit 1"] * len(ASKING)
    for line, command in zip(lines, ASKING, strict=True):
        assert "the service is installed here, and only root may ask it; try: sudo " in line
        assert line.endswith(command)
    assert not list((home / "home").iterdir())


@ROOT_ONLY
def test_a_named_state_directory_needs_no_sudo(home: Path) -> None:
    unit = "mount -t tmpfs none /etc/systemd/system; touch /etc/systemd/system/iluvatar-pxe.service"
    (home / "fleet").mkdir()
    (home / "fleet/fleet.yaml").touch()
    output = run(
        home,
        f"{unit}; {by_nobody('fleet validate fleet')}; "
        f"export ILUVATAR_PXE_STATE__DIRECTORY={home}/home; {by_nobody('fleet token list')}",
    )
    assert output.startswith("fleet: valid: ")
    assert "There are no tokens." in output
