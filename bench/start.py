"""How soon the daemon is ready after its start: ``.venv/bin/python -m bench.start``.

It has started before, and hosts the fleet's repository: the starter fleet, then with 10,000 machines besides. Ready is
when it tells a service manager so (sd_notify(3)): all of its sockets listen. Beside the time, which is the median of the
starts, the seconds of a processor are printed, and the memory that is resident then.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.process_cost import Cost, cost_of
from bench.rows import Row, report
from bench.servers import free_ports, ours

STARTS, LARGE_STARTS = 5, 3
MACHINES = 10_000
_FILE = 'match:\n  macs: ["02:00:00:00:{high:02x}:{low:02x}"]\nintent: local\n'
_PATIENCE = 120.0
_GIT = ("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgSign=false")


@dataclass(frozen=True)
class Started:
    """A daemon that is ready, after so many seconds."""

    process: subprocess.Popen[bytes]
    seconds: float
    cost: Cost


@contextmanager
def started(place: Path, command: list[str]) -> Iterator[Started]:
    """Start it, wait until it is ready, and end it after the block."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, (place / "log").open("wb") as log:
        address = place / "notify"
        address.unlink(missing_ok=True)
        told.bind(str(address))
        told.settimeout(_PATIENCE)
        environment = os.environ | {"NOTIFY_SOCKET": str(address)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installs is compiled
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            while b"READY=1" not in told.recv(4096):
                pass
            yield Started(process, time.monotonic() - begun, cost_of([process.pid]))
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def main() -> int:
    with TemporaryDirectory(prefix="bench-start-") as directory:
        place = Path(directory)
        command = _command(place)
        with started(place, command):
            pass  # it makes its keys, database and repository
        few = measured("start to ready", 0.6, STARTS, place, command)
        with started(place, command):
            _push_machines(place)
        many = measured(f"start to ready, {MACHINES:,} machines", 1.2, LARGE_STARTS, place, command)
    return 0 if report([few, many]) else 1


def measured(what: str, goal: float, starts: int, place: Path, command: list[str]) -> Row:
    """Start it so many times; print what a start costs, and return how long it takes."""
    found = []
    for _ in range(starts):
        with started(place, command) as one:
            found.append(one)
    processor = median(one.cost.processor for one in found) / 1000
    resident = median(one.cost.resident for one in found)
    print(f"{what}: {processor:.2f} s of a processor, {resident:.0f} MiB", flush=True)
    return Row(what=what, ours=median(one.seconds for one in found), unit="s", goal=goal, less_is_better=True)


def _command(place: Path) -> list[str]:
    http, tls = free_ports(2, socket.SOCK_STREAM)
    tftp, dns, ntp = free_ports(3, socket.SOCK_DGRAM)
    return ours(
        place,
        {
            "http": {"port": http, "tls_port": tls},
            "tftp": {"port": tftp},
            "dns": {"port": dns},
            "ntp": {"port": ntp},
            "fleet": {"source": "hosted"},
            "assets": {"fetch": False},
            "log": {"format": "json"},
        },
    )


def _push_machines(place: Path) -> None:
    """Push 10,000 machines, and return when they are applied."""
    clone = place / "clone"
    subprocess.run([*_GIT, "clone", "--quiet", place / "state/git/fleet.git", clone], check=True)
    machines = clone / "machines"
    machines.mkdir(exist_ok=True)
    for number in range(MACHINES):
        high, low = divmod(number, 256)
        (machines / f"m{number:05}.yaml").write_text(_FILE.format(high=high, low=low))
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "Machines"], ["push", "--quiet"]):
        subprocess.run([*_GIT, *words], cwd=clone, check=True)
    commit = subprocess.run(
        [*_GIT, "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True
    )
    deadline = time.monotonic() + _PATIENCE
    while commit.stdout.strip()[:12] not in (place / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
