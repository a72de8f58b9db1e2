"""Two of our daemons on one segment: one hosts the fleet, the other follows it over TLS and may push."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.fleets import INITRAMFS, KERNEL

from iluvatar_pxe.lab.daemon import _environment
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, Network

HOME, OTHER = "10.77.0.2", "10.77.0.3"
_READY_SECONDS = 60.0
ASSETS = DIRECTORY / "assets"


class Pi:
    """A station with a daemon, which may be killed and started again."""

    def __init__(self, network: Network, name: str, address: str, fleet: Mapping[str, str]) -> None:
        """``fleet`` are the settings of that section."""
        self.namespace = network.namespace
        self.name, self.address = name, address
        self._station = network.add_station(name, address)
        self.directory = DIRECTORY / name
        self.state = self.directory / "state"
        self.daemon: Process | None = None
        self.prefix: tuple[str, ...] = ()
        """A command that runs the daemon's."""
        self.outside(self.state).mkdir(parents=True)
        self.settle(fleet)

    def settle(self, fleet: Mapping[str, str]) -> None:
        """Write the settings."""
        text = (
            f'[network]\ninterfaces = ["{INTERFACE}"]\n'
            f'[state]\ndirectory = "{self.state}"\n'
            f'[control]\nsocket = "{self.directory}/control.sock"\n'
            f'[assets]\ndirectory = "{ASSETS}"\nfetch = false\n'
            '[log]\nformat = "json"\n[fleet]\n'
            + "".join(f'{key} = "{value}"\n' for key, value in fleet.items())
        )
        self.outside(self.directory / "config.toml").write_text(text)

    def outside(self, path: Path) -> Path:
        return self.namespace.outside(path)

    def begin_with(self, files: Mapping[str, str]) -> None:
        """Make the repository that is hosted here from files, and put boot files for them in place."""
        directory = self.directory / "fleet"
        for name, text in files.items():
            path = self.outside(directory / name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git = ("git", "-C", str(directory), "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        for words in (("init", "--initial-branch=main"), ("add", "--all"), ("commit", "--message=A fleet")):
            self.namespace.run([*git, *words])
        self.command("fleet", "init", "--from", str(directory))
        for name in (KERNEL, INITRAMFS, "ipxe/snponly.efi"):
            file = self.outside(ASSETS / name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"boot file")

    def start(self) -> Process:
        """Start the daemon, and do not wait."""
        self.daemon = self.namespace.start(
            self.name, self._argv("serve"), network=self._station, environment=_environment()
        )
        return self.daemon

    def wait(self) -> None:
        """Wait until the daemon listens."""
        assert self.daemon
        self.daemon.wait_for(r'"event": "listening"', _READY_SECONDS)

    def command(self, *words: str) -> str:
        """Run ``iluvatar-pxe`` on this station, and return what it prints."""
        return self.namespace.run(self._argv(*words), network=self._station, environment=_environment())

    def _argv(self, *words: str) -> list[str]:
        config = str(self.directory / "config.toml")
        return [*self.prefix, sys.executable, "-m", "iluvatar_pxe", *words, "--config", config]

    def logged(self, event: str) -> list[dict[str, Any]]:
        assert self.daemon
        told = (line for line in self.daemon.output.splitlines() if line.startswith("{") and event in line)
        return [line for line in map(json.loads, told) if line["event"] == event]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        answer = self.namespace.run(
            ["sqlite3", "-readonly", "-json", str(self.state / "inventory.db"), query]
        )
        return [tuple(row.values()) for row in json.loads(answer or "[]")]

    def git(self, *arguments: str) -> str:
        """Run git on the repository that is hosted here."""
        directory = str(self.state / "git" / "fleet.git")
        return self.namespace.run(["git", "-c", "safe.directory=*", "-C", directory, *arguments])


class TwoPis:
    """``origin`` hosts the fleet, ``other`` follows it."""

    def __init__(self, namespace: Namespace, files: Mapping[str, str]) -> None:
        self.namespace = namespace
        self.network = Network(namespace)
        self.home = Pi(self.network, "pi-1", HOME, {"source": "hosted"})
        self.home.begin_with(files)
        self.home.start()
        self.home.wait()
        self.other = self._follower()
        self.other.start()
        self.other.wait()

    def _follower(self) -> Pi:
        told = self.home.command("fleet", "token", "add", "pi-2", "--write")
        token = re.search(r"ilu_\S+", told)
        assert token, told
        directory = DIRECTORY / "pi-2"
        fleet = {"source": f"https://{HOME}:8443/git/fleet.git", "poll": "1s"}
        pi = Pi(
            self.network,
            "pi-2",
            OTHER,
            fleet | {"token_file": f"{directory}/token", "ca_file": f"{directory}/ca.crt"},
        )
        pi.outside(directory / "token").write_text(f"{token[0]}\n")
        authority = (self.home.outside(self.home.state / "tls" / "ca.crt")).read_bytes()
        pi.outside(directory / "ca.crt").write_bytes(authority)
        return pi


@contextmanager
def two_pis(files: Mapping[str, str]) -> Iterator[TwoPis]:
    """Build the network and start both; everything in it ends with the block."""
    with Namespace() as namespace:
        yield TwoPis(namespace, files)
