"""What a command costs from its start to its end in seconds of a processor, and how soon the daemon answers commands.

Usage: python bench/start.py [RUNS]     (default: 5)

Each figure is the least of RUNS. Commands are asked with a daemon that answers them, on loopback, and some without one.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.servers import Server, free_ports, ours, running
from iluvatar_pxe.admin.requests.health import ShowHealth
from iluvatar_pxe.cli.daemon import ask_daemon

MAC = "52:54:00:00:00:01"
HELP = ("--help", "--version", "machines --help")
ANSWERED = (
    f"machines hold {MAC}",
    "machines list",
    f"machines show {MAC}",
    "status",
    "check",
    f"plan {MAC}",
    "enrol status",
    "cluster status",
    "assets status",
    "fleet token list",
    "fleet validate",
)
ALONE = (f"machines hold {MAC}", "machines list")
FLEET = {
    "fleet.yaml": "rules: [{match: {arch: x86_64}, layer: arda}]\n",
    "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9, schematic: none}\n",
}


def cost(words: str, config: Sequence[str], runs: int) -> float:
    """Return the seconds of a processor that a command takes."""
    return min(_once([sys.executable, "-m", "iluvatar_pxe", *words.split(), *config]) for _ in range(runs))


def _once(command: Sequence[str]) -> float:
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def tell(heading: str, commands: Sequence[str], config: Sequence[str], runs: int) -> None:
    print(f"\n{heading}")
    for words in commands:
        print(f"  {words:<36} {cost(words, config, runs):.2f} s")


def answers(place: Path, _: Server) -> bool:
    """Say whether a command is answered."""
    return ask_daemon(place / "control.sock", place / "state", ShowHealth()) is not None


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    tell("help", HELP, (), runs)
    with TemporaryDirectory() as directory:
        place = Path(directory)
        for name, text in FLEET.items():
            file = place / "fleet" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        http, tls = free_ports(2, socket.SOCK_STREAM)
        command = ours(place, {"http": {"port": http, "tls_port": tls}, "dns": {"enabled": False}})
        config = command[-2:]
        begun = time.monotonic()
        with running("iluvatar-pxe", http, command, 0, place, partial(answers, place)) as server:
            ready = time.monotonic() - begun
            print(f"\nserve: answers commands after {ready:.2f} s, {server.worked:.2f} s of a processor")
            tell("a daemon answers", ANSWERED, config, runs)
        tell("no daemon runs", ALONE, config, runs)


if __name__ == "__main__":
    main()
