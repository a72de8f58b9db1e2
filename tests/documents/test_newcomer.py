"""A newcomer's walk: the README and every command of the documents, in a fresh Debian with a systemd of its own.

They are typed by an ordinary user who may use sudo, with nothing installed but what Debian has from the start and what
the documents have installed. The network of the host outside is there for what comes over the Internet.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from documents.markdown import ROOT
from documents.table import COMMANDS, Where, commands_for, judge, typed
from documents.test_installed import LEFT, STATE, known_machines
from support.debian import RELEASES, USER, Debian, debian

CHECKOUT = "iluvatar-pxe"
LAST_LINE = "Or ask: curl http://"
CLONE = "git clone http://127.0.0.1:8080/git/fleet.git"
ADDS_TO_SUDO = "/usr/sbin/usermod --append --groups sudo NAME"
ONLINE = ("apt-get", "/bin/pip ", "make stand-ins", "make deb")
FROM_DEBIAN = "sudo apt-get --quiet --quiet --yes install"
"""Debian asks before it installs; so does nobody here."""

pytestmark = pytest.mark.long


class Newcomer:
    """Somebody who follows the documents."""

    def __init__(self, system: Debian) -> None:
        self._system = system
        self._answers = ""

    def gets_it(self, repository: Path) -> None:
        """Type the commands of the README's first chapter."""
        shutil.copytree(repository, self._system.host.outside("/srv/repository"), symlinks=True)
        self._system.host.run("chown", "--recursive", USER, "/srv/repository")
        self._system.host.run(*ADDS_TO_SUDO.replace("NAME", USER).split())
        self._installs("sudo apt-get install make git curl")
        self._system.does(f"git clone --quiet file:///srv/repository {CHECKOUT}")

    def tries_it(self) -> None:
        """Type what the documents have typed beside ``sudo make run``, without test images and with them."""
        self._types("sudo make setup", online=True)
        with self._system.runs("sudo make run", LAST_LINE, CHECKOUT):
            for command in commands_for(Where.RUN):
                self.types(command)
        self._types("sudo make stand-ins", online=True)
        with self._system.runs("sudo make run STAND_INS=1 AS_REAL=1", LAST_LINE, CHECKOUT) as printed:
            self._has_the_token(printed)
            commands = commands_for(Where.GIT)
            first = commands.index(CLONE)
            for command in commands[first:]:
                self.types(command)
                if command == CLONE:
                    self._types(".venv/bin/iluvatar-pxe simulate uefi-x64")
            status, output = self._system.types(f"{self._answers}git -C fleet push", directory=CHECKOUT)
            assert (status, "push rejected" in output) == (1, True), output
            for command in commands[:first]:
                self.types(command)

    def installs_it(self, inventory: Path) -> None:
        """Type everything for an installed host, from the installation to its end, on a host that knows some machines."""
        self._types(f"sudo rm -rf {STATE} && sudo mkdir {STATE}")
        shutil.copy(inventory, self._system.host.outside(STATE))
        self._installs("sudo apt-get install python3-venv ipxe git")
        self._types(f"{FROM_DEBIAN} sqlite3", online=True)
        for command in commands_for(Where.INSTALLED):
            self.types(command)

    def types(self, command: str) -> None:
        line = typed(command)
        is_online = any(word in line for word in ONLINE)
        words = line if line.startswith(("sudo ", "systemctl status", "systemd-analyze")) else as_root(line)
        where = COMMANDS[command].where
        status, output = self._system.types(
            self._answers + (words if where is Where.INSTALLED else line),
            online=is_online,
            directory=CHECKOUT,
        )
        judge(command, status, output)

    def _has_the_token(self, printed: str) -> None:
        token = next(word for word in printed.split() if word.startswith("ilu_"))
        answer = self._system.host.outside(f"/home/{USER}/answer")
        answer.write_text(f'#!/bin/sh\ncase "$1" in User*) echo me ;; *) echo {token} ;; esac\n')
        answer.chmod(0o755)
        self._answers = "export GIT_ASKPASS=~/answer && "

    def _installs(self, command: str) -> None:
        assert command in COMMANDS
        self._system.does(command.replace("sudo apt-get install", FROM_DEBIAN), online=True)

    def _types(self, line: str, *, online: bool = False) -> None:
        self._system.does(line, online=online, directory=CHECKOUT)


def as_root(line: str) -> str:
    """Return a command of which the documents only speak as it is typed where the service is installed."""
    quoted = line.replace("'", "'\\''")
    return f"sudo sh -c '{quoted}'"


PUBLISH = """
cd "$0" && git ls-files --cached --others --exclude-standard -z | tar --create --null --files-from - | tar --extract --directory "$1"
cd "$1" && git init --quiet --initial-branch main && git add --all
git -c user.name=Ada -c user.email=ada@localhost -c commit.gpgsign=false commit --quiet --message all
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with all of this checkout, also what is not committed yet."""
    directory = tmp_path_factory.mktemp("repository")
    subprocess.run(["sh", "-ec", PUBLISH, str(ROOT), str(directory)], check=True)
    return directory


@pytest.mark.parametrize("release", RELEASES)
def test_a_newcomer_follows_the_documents(release: str, repository: Path, tmp_path: Path) -> None:
    inventory = known_machines(tmp_path)
    with debian(release) as system:
        newcomer = Newcomer(system)
        newcomer.gets_it(repository)
        newcomer.tries_it()
        newcomer.installs_it(inventory)
        assert not system.does(LEFT)
