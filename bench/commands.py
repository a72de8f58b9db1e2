"""How long people wait for commands: ``.venv/bin/python -m bench.commands [RUNS]`` (default: 3).

Each command is run RUNS times, beside a daemon with one machine and then beside one with 10,000, each of which has a place
and is listed by a file of the fleet; a figure is the median, in seconds from the command's start to its end. With 10,000 only
those run that have a goal. The first ``status`` of a daemon decides for every machine, and is a row by itself.
"""

import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

from bench.rows import Row, report
from bench.servers import Server, Settings, free_ports, ours, running
from iluvatar_pxe.admin.requests.health import ShowHealth
from iluvatar_pxe.cli.daemon import ask_daemon
from iluvatar_pxe.errors import ControlError
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Role
from iluvatar_pxe.wire.pxe import CpuArch

MANY = 10_000
NAME = "arda-00000"
HELP, LIST, PLAN, STATUS = "--help", "machines list", f"plan {NAME}", "status"
GOALS: Mapping[str, tuple[float, float]] = {
    HELP: (0.25, 0.25),
    LIST: (0.4, 1.0),
    PLAN: (0.4, 1.0),
    STATUS: (0.4, 1.0),
}
"""Commands with the seconds that each is to take, with one machine and with MANY."""
OTHERS = (
    f"{LIST} --json",
    f"machines show {NAME}",
    "check",
    "network",
    "enrol status",
    "cluster status",
    "assets status",
)
"""Commands without a goal, beside one machine only."""


def main() -> None:
    parser = ArgumentParser(description="how long people wait for commands")
    parser.add_argument("runs", nargs="?", type=int, default=3, help="of each command (default: 3)")
    runs: int = parser.parse_args().runs
    for number, count in enumerate((1, MANY)):
        with TemporaryDirectory() as directory, daemon(Path(directory), count) as config:
            machines = f"{count:,} machine{'s' * (count > 1)}"
            report(
                [
                    Row(
                        what=f"{STATUS}, {machines}, the first one",
                        ours=seconds(STATUS, config),
                        unit="s",
                        goal=None,
                    )
                ]
            )
            report(
                Row(
                    what=f"{words}, {machines}",
                    ours=median(seconds(words, config) for _ in range(runs)),
                    unit="s",
                    goal=GOALS[words][number] if words in GOALS else None,
                    less_is_better=True,
                )
                for words in (*GOALS, *(OTHERS if count == 1 else ()))
            )


def seconds(words: str, config: Sequence[str]) -> float:
    """Return how long a command takes."""
    arguments = words.split() + ([] if words == HELP else list(config))
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "iluvatar_pxe", *arguments], stdout=subprocess.PIPE, check=False)
    return time.perf_counter() - began


@contextmanager
def daemon(place: Path, count: int) -> Iterator[Sequence[str]]:
    """Run a daemon that knows ``count`` machines; yields the option that names its settings."""
    machines = [machine(number) for number in range(count)]
    write_fleet(place / "fleet", machines)
    (place / "state").mkdir(mode=0o750)
    store = Store(f"sqlite:///{place / 'state' / 'inventory.db'}")
    store.open()
    store.write(Batch(machines={one.id: one for one in machines}, new=frozenset(one.id for one in machines)))
    store.close()
    http, tls = free_ports(2, socket.SOCK_STREAM)
    (tftp,) = free_ports(1, socket.SOCK_DGRAM)
    settings: Settings = {
        "http": {"port": http, "tls_port": tls},
        "tftp": {"port": tftp},
        "dns": {"enabled": False},
        "ntp": {"enabled": False},
        "assets": {"fetch": False},
    }
    command = ours(place, settings)
    with running("iluvatar-pxe", http, command, 0, place, partial(answers, place)):
        yield command[-2:]


def machine(number: int) -> Machine:
    seen = datetime.now(UTC)
    return Machine(
        id=UUID(int=number + 1),
        macs=(f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",),
        generation=1,
        reached=Stage.SCRIPT,
        furthest=Stage.CONFIG,
        first_seen=seen,
        last_seen=seen,
        firmware=Firmware.UEFI_PXE,
        arch=CpuArch.X86_64,
        manufacturer="Dell Inc.",
        product="OptiPlex 7050",
        serial=f"S-{number}",
        assignment=Assignment(
            name=f"arda-{number:05}", layer="arda", role=Role.WORKER, rule="listed", at=seen
        ),
    )


def write_fleet(place: Path, machines: Sequence[Machine]) -> None:
    """Write a fleet that lists these machines."""
    for directory in ("layers", "machines", "configs"):
        (place / directory).mkdir(parents=True)
    (place / "fleet.yaml").write_text("")
    (place / "layers" / "arda.yaml").write_text(
        "kind: talos\ntalos: {version: v1.13.9, schematic: 376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba}\n"
        "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
    )
    (place / "configs" / "one.yaml").write_text("machine: {}\n")
    for number, one in enumerate(machines):
        file = place / "machines" / f"arda-{number:05}.yaml"
        file.write_text(f'match: {{macs: ["{one.macs[0]}"]}}\nlayer: arda\nrole: worker\n')


def answers(place: Path, _: Server) -> bool:
    """Say whether a command is answered; a daemon that only begins may break off."""
    with suppress(ControlError):
        return ask_daemon(place / "control.sock", place / "state", ShowHealth()) is not None
    return False


if __name__ == "__main__":
    main()
