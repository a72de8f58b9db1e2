"""What the benchmarks of servers have in common: a server on one core, until it answers, and what it costs."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = "127.0.0.1"
OURS = "iluvatar-pxe"
_PATIENCE = 60.0
_SCHEDULED = 2
"""What of a process clock_getcpuclockid(3) counts; Python does not offer that function."""

Settings = dict[str, dict[str, Any]]
"""Keys by section of config.toml."""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def resident(self) -> float:
        """The memory that it takes, in MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    @property
    def worked(self) -> float:
        """Seconds for which it and its workers have had a processor, threads that are no more included."""
        clocks = [~pid << 3 | _SCHEDULED for pid in (self.process.pid, *self._workers())]
        return sum(time.clock_gettime(clock) for clock in clocks)

    def _workers(self) -> list[int]:
        pid = self.process.pid
        return [int(worker) for worker in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def running(
    name: str, port: int, argv: Sequence[str], core: int, directory: Path, answers: Callable[[Server], bool]
) -> Iterator[Server]:
    """Run a server on ``core`` until the end of the block; exits with its log if it does not answer for a minute."""
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        pinned = ["taskset", "--cpu-list", str(core), *argv]
        process = subprocess.Popen(
            pinned, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment()
        )
    try:
        server = Server(name, port, process)
        if not _answers_in_time(server, answers):
            sys.exit(f"{name} does not answer: {log.read_text()[-2000:]}")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ours(directory: Path, settings: Settings) -> list[str]:
    """Return the command that serves the fleet and the state in ``directory``, with these settings besides."""
    events, kernel_log = free_ports(2, socket.SOCK_STREAM)
    common: Settings = {
        "network": {"interfaces": ["lo"], "dhcp": "off"},
        "state": {"directory": str(directory / "state")},
        "fleet": {"source": str(directory / "fleet")},
        "control": {"socket": str(directory / "control.sock")},
        "talos": {"event_port": events, "kernel_log_port": kernel_log},
    }
    file = directory / "config.toml"
    file.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
            for section, keys in (common | settings).items()
        )
    )
    return [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(file)]


def tcp_listens(server: Server) -> bool:
    try:
        socket.create_connection((HERE, server.port), 1).close()
    except OSError:  # not yet
        return False
    return True


def free_ports(count: int, kind: socket.SocketKind) -> list[int]:
    with ExitStack() as held:
        clients = [held.enter_context(socket.socket(type=kind)) for _ in range(count)]
        for client in clients:
            client.bind((HERE, 0))
        return [client.getsockname()[1] for client in clients]


def _answers_in_time(server: Server, answers: Callable[[Server], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while server.process.poll() is None and time.monotonic() < deadline:
        if answers(server):
            return True
        time.sleep(0.05)
    return False


def _environment() -> dict[str, str]:
    """Return this process's, without settings of ours, which would go before the file's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ILUVATAR_PXE_")}
