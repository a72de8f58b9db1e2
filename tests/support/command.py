"""The command line as a process, and databases for it to look at."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.daemon import HERE, loopback_settings, write_settings
from support.waiting import PATIENCE
from support.warm import run_warm

from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.machines.model import BootEvent, Machine


@dataclass(frozen=True)
class Answer:
    status: int
    output: str
    error: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    @property
    def json(self) -> Any:
        assert self.status == 0, self.error
        return json.loads(self.output)


class Host:
    """A state directory with a fleet and a database, and commands that are given its settings."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.fleet = self.state / "fleet"
        self.socket = self.state / "control.sock"
        self.database = self.state / "inventory.db"
        self.config = directory / "config.toml"
        self.fleet.mkdir(parents=True)
        self.write("fleet.yaml", "domain: lab.home.arpa\n")
        if not self.config.exists():
            write_settings(self.config, loopback_settings(self.state))

    def write(self, name: str, text: str) -> None:
        """Write a file of the fleet."""
        path = self.fleet / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def have(self, *assets: str) -> None:
        """Write boot files, by their logical names."""
        for name in assets:
            path = self.state / "assets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)

    def know(self, *machines: Machine, events: Sequence[BootEvent] = ()) -> None:
        """Write machines, with their assignments, and events into the database."""
        store = Store(f"sqlite:///{self.database}")
        store.open()
        ids = frozenset(machine.id for machine in machines)
        by_id = {machine.id: machine for machine in machines}
        store.write(Batch(machines=by_id, new=ids, events=tuple(events)))
        store.close()

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command, and do not wait for it."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ILUVATAR_PXE_")}
        return subprocess.Popen(
            [*HERE, *arguments, "--config", str(self.config)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, *arguments: str) -> Answer:
        """Run a command to its end."""
        ended = run_warm(*arguments, "--config", str(self.config))
        assert "Traceback" not in ended.error, ended.error
        return Answer(ended.status, ended.output, ended.error)


def finished(process: subprocess.Popen[str]) -> Answer:
    output, error = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in error, error
    return Answer(process.returncode, output, error)
