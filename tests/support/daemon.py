"""The real daemon: a process of its own on loopback, on ports that nobody uses."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self
from uuid import uuid4

from support.ports import free_port
from support.waiting import PATIENCE, wait_until
from support.warm import WarmProcess

from iluvatar_pxe.gitops.changes.starter import plant_starter_fleet

HERE = [sys.executable, "-W", "error", "-m", "iluvatar_pxe"]
"""This checkout's daemon, for which every warning is an error."""

Settings = Mapping[str, Mapping[str, Any]]


def loopback_settings(state: Path) -> dict[str, dict[str, Any]]:
    """Return settings for loopback and free ports, with everything below ``state``."""
    return {
        "network": {"interfaces": ["lo"]},
        "dhcp": {"port": free_port(), "pxe_port": free_port(), "client_port": free_port()},
        "tftp": {"port": free_port()},
        "http": {"port": free_port(), "tls_port": free_port()},
        "dns": {"port": free_port()},
        "ntp": {"port": free_port()},
        "talos": {"event_port": free_port(), "kernel_log_port": free_port()},
        "state": {"directory": str(state)},
        "fleet": {"source": str(state / "fleet")},
        "assets": {"fetch": False},
        "control": {"socket": str(state / "control.sock")},
        "log": {"format": "json"},
    }


def write_settings(file: Path, settings: Settings) -> None:
    """Write settings as TOML."""
    sections = (
        f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())
        for section, keys in settings.items()
    )
    file.write_text("".join(sections), encoding="utf-8")


NO_INTERNET = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost"}
"""The environment of a daemon that asks a proxy that is not there for what the starter fleet wants of publishers."""


def _toml(value: Any) -> str:
    """Return a value in TOML: JSON's texts, numbers and lists are the same there, tables are not."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


class Daemon:
    """``iluvatar-pxe serve``, from its start (``with`` waits until it listens) to its end."""

    def __init__(
        self,
        directory: Path,
        settings: Settings | None = None,
        *,
        command: Sequence[str] = (),
        prefix: Sequence[str] = (),
        working_directory: Path | None = None,
    ) -> None:
        """Prepare to run in ``directory``; ``settings`` replace single keys of ``loopback_settings``.

        With a ``command`` of another installation, or a ``prefix`` before it, it begins from nothing.
        """
        self.environment: Mapping[str, str] = {}
        """Variables that it has besides."""
        self.state = directory / "state"
        self.fleet = self.state / "fleet"
        self.assets = self.state / "assets"
        self.settings = loopback_settings(self.state)
        for section, keys in (settings or {}).items():
            self.settings.setdefault(section, {}).update(keys)
        self.http_port: int = self.settings["http"]["port"]
        self.tls_port: int = self.settings["http"]["tls_port"]
        self.tftp_port: int = self.settings["tftp"]["port"]
        self._file = directory / "config.toml"
        write_settings(self._file, self.settings)
        self._arguments = ("serve", "--config", str(self._file))
        self._command = [*prefix, *(command or HERE), *self._arguments]
        self._warm = not (command or prefix)
        self._working_directory = working_directory
        self._log = directory / f"{uuid4()}.log"
        self._output = directory / f"{uuid4()}.out"
        self._process: subprocess.Popen[bytes] | WarmProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        try:
            wait_until(self.listens, "the daemon to listen")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes] | WarmProcess:
        assert self._process, "not started"
        return self._process

    def start(self) -> None:
        """Start it, and do not wait; a fleet that is a directory, and is not there, is the starter fleet."""
        self._plant()
        if self._warm:
            self._log.write_bytes(b"")
            self._output.write_bytes(b"")
            self._process = WarmProcess(self._arguments, self._output, self._log, self.environment)
            return
        with self._log.open("wb") as log:
            self.start_with(log)

    def start_with(self, log: IO[bytes]) -> None:
        """Start it from nothing, with another place for its log."""
        self._plant()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ILUVATAR_PXE_")
        } | dict(self.environment)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=self._working_directory,
                env=environment,
            )

    def _plant(self) -> None:
        if self.settings["fleet"]["source"] == str(self.fleet):
            self.state.mkdir(mode=0o750, exist_ok=True)
            plant_starter_fleet(self.fleet)

    def ends(self, patience: float = PATIENCE) -> int:
        """Wait for the end of the process, and return its exit status."""
        return self.process.wait(patience)

    def stop(self, patience: float = PATIENCE) -> int:
        """Ask it to end, and return its exit status."""
        self.process.terminate()
        return self.ends(patience)

    @property
    def errors(self) -> list[str]:
        """Every line of its standard error until now; one that it is still writing is none yet."""
        has_ended = self.process.poll() is not None
        lines = self._log.read_text(encoding="utf-8").splitlines(keepends=True)
        return [line.removesuffix("\n") for line in lines if has_ended or line.endswith("\n")]

    @property
    def output(self) -> str:
        """Its standard output until now."""
        return self._output.read_text(encoding="utf-8")

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every line of its log until now; fails when one is no JSON."""
        return [json.loads(line) for line in self.errors]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == event]

    def wait_for_log(self, event: str, count: int = 1) -> dict[str, Any]:
        """Return the ``count``-th line of an event, as soon as it is there."""
        return wait_until(lambda: self.logged(event)[count - 1 : count], f"{count} times {event}")[0]

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}{path}", timeout=PATIENCE
            ) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post ``body``, and return the status."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", body, dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Return status and report of ``/readyz``."""
        status, body = self.get("/readyz")
        return status, json.loads(body)

    def listens(self) -> bool:
        status = self.process.poll()
        assert status is None, f"ended with {status}: {self.errors}"
        try:
            return bool(self.get("/healthz"))
        except OSError:
            return False
