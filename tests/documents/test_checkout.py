"""``make`` in a checkout, with stand-ins and without, and what the documents have typed beside ``make run``.

The daemon's host is the server of a private network, where the router is its default route. ``sudo`` is a stand-in, as
everything is typed by root, and the checkout a copy that shares its ``.venv/bin`` and its downloads with this one.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from documents.markdown import ROOT
from documents.table import Where, commands_for, judge, typed

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import ROUTER_ADDRESS, SERVER_ADDRESS, Network
from iluvatar_pxe.lab.room.router import start_router
from iluvatar_pxe.simulate.machine import Kind

SERVER, OTHER = "server", "other"
SECONDS = 120.0
LAST_LINE = r"Or ask: curl http://10\.77\.0\.2:8080/readyz"
WHAT_MAKE_READS = ("Makefile", "pyproject.toml", "requirements.lock", "tests/requirements.lock")
PRIVATE_STATE = f"""
mkdir {DIRECTORY}/changed {DIRECTORY}/work
mount -t overlay -o lowerdir=/var/lib,upperdir={DIRECTORY}/changed,workdir={DIRECTORY}/work lib /var/lib
"""
NO_LOW_PORTS = "setpriv --bounding-set=-net_bind_service --inh-caps=-net_bind_service "


README_REFUSAL = [
    line.strip()
    for line in (ROOT / "README.md").read_text().splitlines()
    if line.startswith(("remote: ", " ! ["))
]
"""What the README says that a refused push shows."""


class Checkout:
    """A copy of this checkout."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        own = {
            key: text
            for key, text in os.environ.items()
            if not key.startswith(("ILUVATAR_PXE_", "MAKE", "GIT_"))
        }
        path = f"{directory}/bin:{ROOT}/.venv/bin:{own['PATH']}"
        self._environment = own | {"PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "160"}
        for name in WHAT_MAKE_READS:
            (directory / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
        self._share(".venv/bin")
        self._share(".cache/iluvatar-pxe")
        for stamp in (".run", ".test"):
            (directory / ".venv" / stamp).touch()
        sudo = directory / "bin" / "sudo"
        sudo.parent.mkdir()
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)

    def _share(self, name: str) -> None:
        (ROOT / name).mkdir(parents=True, exist_ok=True)
        (self._directory / name).parent.mkdir()
        (self._directory / name).symlink_to(ROOT / name)

    def tries(self, command: str) -> None:
        """Type a command where this test runs."""
        done = subprocess.run(
            typed(command),
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
            cwd=self._directory,
            env=self._environment,
        )
        judge(command, done.returncode, done.stdout)

    def answers_git(self, token: str) -> None:
        """Have git's questions answered as by a person who has this token, a name and a home."""
        answer = self._directory / "bin" / "answer"
        answer.write_text(f'#!/bin/sh\ncase "$1" in User*) echo me ;; *) echo {token} ;; esac\n')
        answer.chmod(0o755)
        names = {
            f"GIT_{who}_{what}": "ada@localhost"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        home = self._directory / "home"
        home.mkdir()
        self._environment |= {"GIT_ASKPASS": str(answer), "HOME": str(home), **names}

    def start(self, namespace: Namespace, line: str, network: str) -> Process:
        """Type a line in a private network."""
        words = ["sh", "-c", f"cd {self._directory} && exec {line}"]
        return namespace.start("typed", words, network=network, environment=self._environment)


class Site:
    """A private network with the checkout's host, and another one."""

    def __init__(self, namespace: Namespace, checkout: Checkout) -> None:
        self.namespace = namespace
        self._checkout = checkout
        network = Network(namespace)
        start_router(network)
        for name, address in ((SERVER, SERVER_ADDRESS), (OTHER, "10.77.0.50")):
            network.add_station(name, address)
            namespace.run(["ip", "route", "add", "default", "via", ROUTER_ADDRESS], network=name)
        namespace.run(["sh", "-ec", PRIVATE_STATE])

    def start(self, line: str, host: str = SERVER) -> Process:
        return self._checkout.start(self.namespace, line, host)

    def tries(self, command: str, host: str = SERVER, *, joins: bool = False) -> None:
        process = self.start(f"sh -c {shlex.quote(typed(command))}", host)
        status = process.wait(SECONDS)
        if joins:  # with all that it needs, unlike where the table has it
            assert (status, "has its configuration" in process.output) == (0, True), process.output
        else:
            judge(command, status, process.output)

    @contextmanager
    def daemon(self, command: str, prefix: str = "") -> Iterator[Process]:
        """Have a daemon run, and end it."""
        process = self.start(prefix + typed(command))
        process.wait_for(LAST_LINE, SECONDS)
        yield process
        judge(command, process.stop(), process.output)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def site(checkout: Checkout) -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces, and the ports 53, 67 and 69")
    with Namespace() as namespace:
        yield Site(namespace, checkout)


@pytest.mark.parametrize("command", commands_for(Where.CHECKOUT))
def test_a_command_in_a_checkout(checkout: Checkout, command: str) -> None:
    checkout.tries(command)


def test_a_daemon_of_a_checkout_and_what_is_typed_beside_it(site: Site) -> None:
    with site.daemon("sudo make run") as daemon:
        for command in commands_for(Where.RUN):
            site.tries(command)
    assert "No right to bind" not in daemon.output
    assert daemon.output.index("machines that boot from the network are answered") < daemon.output.index(
        "listening"
    )


def test_a_daemon_that_only_looks_says_so(site: Site) -> None:
    with site.daemon("sudo make run OBSERVE=1") as daemon:
        assert "no machine gets an answer to DHCP (dhcp = observe)" in daemon.output
        assert "observed only" in daemon.output


def test_a_daemon_that_may_not_have_low_ports_says_so(site: Site) -> None:
    with site.daemon("make run", NO_LOW_PORTS) as daemon:
        assert "For the real thing: sudo make run" in daemon.output


def test_the_fleet_in_git_as_a_newcomer_follows_it(checkout: Checkout, site: Site) -> None:
    with site.daemon("sudo make run STAND_INS=1 AS_REAL=1") as daemon:
        token = daemon.wait_for(r"ilu_\S{43}", SECONDS)[0]
        checkout.answers_git(token)
        commands = commands_for(Where.GIT)
        for command in commands[commands.index("git clone http://127.0.0.1:8080/git/fleet.git") :]:
            site.tries(command)
            if command.startswith("git clone"):
                site.tries(".venv/bin/iluvatar-pxe simulate uefi-x64", joins=True)
        refused = site.start("git -C fleet push")
        assert refused.wait(SECONDS) != 0
        for line in README_REFUSAL:
            assert line in refused.output
        for command in commands[: commands.index("git clone http://127.0.0.1:8080/git/fleet.git")]:
            site.tries(command)


def test_all_kinds_boot_at_once_from_stand_ins(checkout: Checkout, site: Site) -> None:
    checkout.tries("make stand-ins")
    with site.daemon("sudo make run STAND_INS=1"):
        boots = {kind: site.start(f".venv/bin/iluvatar-pxe simulate {kind}") for kind in Kind}
        statuses = {kind: boot.wait(SECONDS) for kind, boot in boots.items()}
        assert statuses == dict.fromkeys(Kind, 0), [boot.tail(3) for boot in boots.values()]

        for command in commands_for(Where.OTHER_HOST):
            site.tries(command, OTHER)
