"""The command line in processes that begin with everything imported: the same program, without its start-up."""

import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Never

from support.waiting import PATIENCE

from iluvatar_pxe import cli

_MODULES = [module.name for module in walk_packages(cli.__path__, f"{cli.__name__}.")]
_LATE = ["iluvatar_pxe.app.app", "iluvatar_pxe.inventory.database.alembic_upgrade"]
_CONTEXT = multiprocessing.get_context("forkserver")
# Python itself imports the last one, when it may act as a user who cannot read root's installation.
_CONTEXT.set_forkserver_preload([*_MODULES, *_LATE, "encodings.idna"])


class WarmProcess:
    """``iluvatar-pxe ARGUMENTS``, for which every warning is an error, with the methods of ``subprocess.Popen``."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        output: Path,
        error: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start it; ``environment`` replaces the variables that are its settings."""
        self._arguments = arguments
        self._process = _CONTEXT.Process(
            target=_command,
            args=(arguments, output, error, dict(environment)),
            daemon=True,  # ends with the tests, whatever has failed
        )
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = PATIENCE) -> int:
        self._process.join(timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout)
        return status

    def send_signal(self, how: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, how)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class Ended:
    status: int
    output: str
    error: str


def run_warm(*arguments: str, **environment: str) -> Ended:
    """Run ``iluvatar-pxe`` to its end."""
    with TemporaryDirectory() as directory:
        output, error = Path(directory, "output"), Path(directory, "error")
        status = WarmProcess(arguments, output, error, environment).wait()
        return Ended(status, output.read_text(), error.read_text())


def _command(arguments: tuple[str, ...], output: Path, error: Path, environment: dict[str, str]) -> Never:
    from iluvatar_pxe.cli.main import main  # noqa: PLC0415 - imported before the fork

    for name in [name for name in os.environ if name.startswith("ILUVATAR_PXE_")]:
        del os.environ[name]
    os.environ |= environment
    for number, file in enumerate((Path(os.devnull), output, error)):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), number)
    warnings.simplefilter("error")
    sys.argv = ["iluvatar-pxe", *arguments]
    main()
    sys.exit(0)
